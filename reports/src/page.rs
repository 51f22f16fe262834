//! A run's `report.html`: one file for people, made from its evidence and from nothing else.
//!
//! No script, nothing from the network, no clock: the same evidence gives the same bytes. Every text goes
//! through the template's escaping, and what styles it is allowed by its digest alone.

mod checks;
mod course;
mod grant;
mod head;
mod place;
mod rules;
mod todo;
mod words;

#[cfg(test)]
mod tests;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use crate::evidence::Evidence;
use words::{PageHead, describe_head, show_time};

const STYLE: &str = include_str!("page/style.css");

/// The bytes of `report.html`.
pub fn render_page(evidence: &Evidence) -> String {
    let head = describe_head(evidence);
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        STANDARD.encode(Sha256::digest(STYLE))
    );
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                title { (head.title) " · " (run_name(evidence)) }
                style { (PreEscaped(STYLE)) }
            }
            body { (body(evidence, &head)) }
        }
    };
    page.into_string() + "\n"
}

fn body(evidence: &Evidence, head: &PageHead) -> Markup {
    html! {
        header { (head::ribbon(evidence)) }
        main {
            (head::head(evidence, head))
            (head::tiles(evidence))
            (todo::todo(evidence))
            (grant::granted(evidence))
            (grant::actors(evidence))
            (place::place(evidence))
            (checks::checks(evidence))
            (course::course(evidence))
            (course::out_of_reach(evidence))
            (rules::safety_rules(evidence))
            (rules::check_yourself(evidence))
        }
        footer { (foot(evidence)) }
    }
}

fn run_name(evidence: &Evidence) -> &str {
    evidence.run.as_ref().map_or("no run", |run| &run.id)
}

fn foot(evidence: &Evidence) -> Markup {
    let journal = &evidence.journal;
    html! {
        p {
            "Made from " (journal.records) " journal records"
            @if let Some(last) = journal.last_at { ", the last of " (show_time(last)) }
            ". Journal head " code { (journal.head.as_str()) } "."
        }
    }
}
