use serde_json::Value;

use super::render_page;
use crate::digest::Digest;
use crate::evidence::{Evidence, fold_records};
use crate::record::{Chapter, Verdict};
use crate::sample::{pending_run, whole_run};

fn folded() -> Evidence {
    let records = whole_run().records_with_end();
    fold_records(&records, &Digest::of("head"))
}

const PLANTED: &str = "<script>alert(1)</script>\"'&<b onload=x>";

/// Plants the text in every string in which evidence takes it; the rest are digests, times and words of
/// closed enums.
fn plant_everywhere(evidence: &Evidence) -> (Evidence, usize) {
    let mut value = serde_json::to_value(evidence).expect("JSON");
    let mut paths = Vec::new();
    list_strings(&value, String::new(), &mut paths);
    let mut planted = 0;
    for path in paths {
        let Some(place) = value.pointer_mut(&path) else { continue };
        let before = std::mem::replace(place, PLANTED.into());
        if serde_json::from_value::<Evidence>(value.clone()).is_ok() {
            planted += 1;
        } else if let Some(place) = value.pointer_mut(&path) {
            *place = before;
        }
    }
    (serde_json::from_value(value).expect("evidence"), planted)
}

fn list_strings(value: &Value, at: String, into: &mut Vec<String>) {
    match value {
        Value::String(_) => into.push(at),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                list_strings(item, format!("{at}/{index}"), into);
            }
        }
        Value::Object(map) => {
            for (key, item) in map {
                let key = key.replace('~', "~0").replace('/', "~1");
                list_strings(item, format!("{at}/{key}"), into);
            }
        }
        _ => {}
    }
}

#[test]
fn what_is_planted_in_any_field_stays_text() {
    for records in [whole_run().records_with_end(), pending_run().records()] {
        let mut evidence = fold_records(&records, &Digest::of("head"));
        // An assertion that is open shows everything of it.
        for made in evidence.scenarios.iter_mut().flat_map(|it| &mut it.assertions) {
            made.status = crate::record::AssertionStatus::Failed;
            made.message = Some("a message".to_owned());
        }
        let (evidence, planted) = plant_everywhere(&evidence);
        assert!(planted > 60, "only {planted} fields were planted");
        let page = render_page(&evidence);
        assert!(page.matches("&lt;script&gt;").count() > 30, "hardly any of it is shown");
        for raw in ["<script", "<b onload", "alert(1)</"] {
            assert!(!page.contains(raw), "{raw} is in the page");
        }
        // An attribute is never left by a quote.
        assert!(!page.contains("alert(1)&lt;/script&gt;\""), "a quote is not escaped");
    }
}

#[test]
fn nothing_is_loaded_and_nothing_runs() {
    let page = render_page(&folded());
    for word in ["<script", "http://", "https://", "src=", "@import", "url(", "style="] {
        let at = page.find(word).map(|at| page[at..].chars().take(60).collect::<String>());
        assert_eq!(at, None);
    }
    assert!(page.contains("default-src 'none'; style-src 'sha256-"), "there is no strict policy");
}

#[test]
fn the_same_evidence_gives_the_same_page() {
    assert_eq!(render_page(&folded()), render_page(&folded()));
}

/// The title of each verdict, each as something else.
#[test]
fn each_verdict_has_a_title_of_its_own() {
    let all = [
        Verdict::Pass,
        Verdict::Fail,
        Verdict::AwaitingGo,
        Verdict::Stopped,
        Verdict::Unknown,
        Verdict::Residue,
        Verdict::Partial,
        Verdict::Unavailable,
        Verdict::Interrupted,
        Verdict::Bug,
    ];
    let mut titles = std::collections::BTreeSet::new();
    for verdict in all {
        let mut evidence = folded();
        evidence.verdict.verdict = verdict;
        let page = render_page(&evidence);
        let title = page.split("<title>").nth(1).and_then(|it| it.split(" · ").next());
        assert!(titles.insert(title.expect("a title").to_owned()), "{verdict:?} has another's");
        assert!(page.len() < 100_000, "{} bytes", page.len());
    }
}

#[test]
fn a_page_of_a_prefix_is_a_page() {
    let records = whole_run().records_with_end();
    for length in 0..=records.len() {
        let page = render_page(&fold_records(&records[..length], &Digest::of("head")));
        assert!(page.ends_with("</html>\n"), "{length} records");
    }
}

#[test]
fn a_whole_run() {
    let mut evidence = folded();
    let chapters = [Chapter::Before, Chapter::Change, Chapter::Proof, Chapter::Back];
    for (it, chapter) in evidence.scenarios.iter_mut().zip(chapters) {
        it.chapter = Some(chapter);
        it.question = Some(format!("Is {} well?", it.name));
    }
    let page = render_page(&evidence);
    // One element a line, so that a difference can be read.
    let body = page.split("</style>").nth(1).expect("a body").replace("><", ">\n<");
    insta::assert_snapshot!("a_whole_run", body);
}
