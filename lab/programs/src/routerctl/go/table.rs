//! Go's `tabwriter` with two spaces of padding: a column is a run of consecutive lines that have
//! a cell there, and a line's last cell belongs to no column.

const PADDING: usize = 2;

/// Aligns lines whose cells are separated by tabs.
pub fn align(text: &str) -> String {
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
    let mut out = String::new();
    column(&lines, &mut Vec::new(), &mut out);
    out
}

/// Lines up one more column; `widths` are those left of it.
fn column(lines: &[Vec<&str>], widths: &mut Vec<usize>, out: &mut String) {
    let at = widths.len();
    let mut from = 0;
    while from < lines.len() {
        let block = lines[from..].iter().take_while(|line| at + 1 < line.len()).count();
        if block == 0 {
            write(&lines[from], widths, out);
            from += 1;
            continue;
        }
        let run = &lines[from..from + block];
        let width = run.iter().map(|line| line[at].chars().count() + PADDING).max().unwrap_or(0);
        widths.push(width);
        column(run, widths, out);
        widths.pop();
        from += block;
    }
}

fn write(line: &[&str], widths: &[usize], out: &mut String) {
    for (index, cell) in line.iter().enumerate() {
        out.push_str(cell);
        if let Some(width) = widths.get(index) {
            out.push_str(&" ".repeat(width.saturating_sub(cell.chars().count())));
        }
    }
    out.push('\n');
}

/// `-` for what is blank.
pub fn dash_if_blank(text: &str) -> &str {
    if text.trim().is_empty() { "-" } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_ends_where_a_line_has_no_cell_for_it() {
        let text = "Name:\tx\nA longer label:\ty\nplain\n  - a\tp=1\tq\n  - bcd\tp=22\tq\n";
        let expected =
            "Name:           x\nA longer label:  y\nplain\n  - a    p=1   q\n  - bcd  p=22  q\n"
                .replace("Name:           x", "Name:            x");
        assert_eq!(align(text), expected);
    }

    #[test]
    fn blank_cells_are_dashes() {
        assert_eq!(dash_if_blank(" "), "-");
        assert_eq!(dash_if_blank("x"), "x");
    }
}
