//! A file of comma-separated values, cut into records so that one bad record spoils no other.
//!
//! The `csv` crate reads a quote that is never closed to the end of the file, or to the next quote that
//! happens to stand somewhere: lines vanish, or two become one that looks sound. So the quotes are checked
//! first, by RFC 4180 and for a few lines ahead only; what passes is read by the crate, what does not is a
//! bad record of one line.

use csv::{ReaderBuilder, StringRecord};

/// What one record may take. A cell of a statement has a line or two.
const RECORD_LINES_MAX: usize = 16;
const RECORD_BYTES_MAX: usize = 64 * 1024;

/// One record. `cells` is the token of the fault where there are none.
pub struct Row<'a> {
    /// Its first line in the file, counted from 1.
    pub line: usize,
    pub raw: &'a str,
    pub cells: Result<StringRecord, &'static str>,
    /// Whether a line end follows: only the last record of a file can be without.
    pub ended: bool,
}

struct Span {
    line: usize,
    start: usize,
    end: usize,
    fault: Option<&'static str>,
}

/// One line of a file, without its end.
pub struct TextLine<'a> {
    /// Counted from 1.
    pub number: usize,
    pub start: usize,
    pub text: &'a str,
}

/// The lines of a file, whatever system ended them.
pub fn lines(text: &str) -> impl Iterator<Item = TextLine<'_>> {
    let (mut start, mut number) = (0, 0);
    std::iter::from_fn(move || {
        let rest = text.get(start..).filter(|rest| !rest.is_empty())?;
        let length = rest.bytes().position(is_line_end).unwrap_or(rest.len());
        number += 1;
        let line = TextLine { number, start, text: &rest[..length] };
        start += length + line_end_bytes(&rest.as_bytes()[length..]);
        Some(line)
    })
}

/// How many bytes the line end takes that stands here.
fn line_end_bytes(rest: &[u8]) -> usize {
    if rest.starts_with(b"\r\n") { 2 } else { 1 }
}

/// The first `rows_max` records of the file. Blank lines are none.
pub fn rows(text: &str, delimiter: char, rows_max: usize) -> Vec<Row<'_>> {
    let delimiter = u8::try_from(delimiter).unwrap_or(b',');
    let spans = spans(text, delimiter, rows_max);
    let mut sound = String::new();
    for span in spans.iter().filter(|span| span.fault.is_none()) {
        sound.push_str(&text[span.start..span.end]);
        sound.push('\n');
    }
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(sound.as_bytes());
    let mut rows = Vec::with_capacity(spans.len());
    let mut start = 0;
    for span in &spans {
        let cells = match span.fault {
            Some(fault) => Err(fault),
            None => {
                let cells = record_at(&mut reader, start);
                start += span.end - span.start + 1;
                cells
            }
        };
        let ended = span.end < text.len();
        rows.push(Row { line: span.line, raw: &text[span.start..span.end], cells, ended });
    }
    rows
}

/// The next record, if it begins where it should: otherwise the crate and the check above disagree.
fn record_at(reader: &mut csv::Reader<&[u8]>, start: usize) -> Result<StringRecord, &'static str> {
    let mut record = StringRecord::new();
    let read = reader.read_record(&mut record).unwrap_or(false);
    let at = record.position().and_then(|position| usize::try_from(position.byte()).ok());
    if read && at == Some(start) { Ok(record) } else { Err("malformed_quotes") }
}

fn spans(text: &str, delimiter: u8, spans_max: usize) -> Vec<Span> {
    let bytes = text.as_bytes();
    let mut spans = Vec::new();
    let (mut start, mut line) = (0, 1);
    while start < bytes.len() && spans.len() < spans_max {
        let line_end =
            bytes[start..].iter().copied().position(is_line_end).map_or(bytes.len(), |n| start + n);
        let (end, lines, fault) = match record_end(bytes, start, delimiter) {
            Some((end, lines)) => (end, lines, None),
            None if line_end - start > RECORD_BYTES_MAX => (line_end, 1, Some("line_too_long")),
            None => (line_end, 1, Some("malformed_quotes")),
        };
        if !text[start..end].trim().is_empty() {
            spans.push(Span { line, start, end, fault });
        }
        line += lines;
        start = end + line_end_bytes(&bytes[end..]);
    }
    spans
}

/// Where the record ends that begins at `start`, and over how many lines it goes; `None` if its quotes are
/// not well formed or it is too long.
fn record_end(bytes: &[u8], start: usize, delimiter: u8) -> Option<(usize, usize)> {
    let (mut at, mut lines) = (start, 1);
    let (mut quoted, mut cell_begins) = (false, true);
    while let Some(&byte) = bytes.get(at) {
        let next = bytes.get(at + 1).copied();
        match byte {
            b'"' if quoted && next == Some(b'"') => at += 1,
            b'"' if quoted => {
                quoted = false;
                if next.is_some_and(|next| next != delimiter && !is_line_end(next)) {
                    return None;
                }
            }
            b'"' if cell_begins => quoted = true,
            _ if quoted => lines += usize::from(byte == b'\n' || (byte == b'\r' && next != Some(b'\n'))),
            _ if is_line_end(byte) => return Some((at, lines)),
            _ => {}
        }
        cell_begins = !quoted && byte == delimiter;
        at += 1;
        if lines > RECORD_LINES_MAX || at - start > RECORD_BYTES_MAX {
            return None;
        }
    }
    (!quoted).then_some((at, lines))
}

fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(usize, Result<Vec<String>, &'static str>)> {
        rows(text, ',', 1_000)
            .into_iter()
            .map(|row| (row.line, row.cells.map(|cells| cells.iter().map(str::to_owned).collect())))
            .collect()
    }

    fn cells(cells: &[&str]) -> Result<Vec<String>, &'static str> {
        Ok(cells.iter().map(|cell| (*cell).to_owned()).collect())
    }

    #[test]
    fn quotes_as_the_rfc_has_them() {
        let text = "a,\"b,\"\"c\"\"\",d\r\n\r\n  \n\"1\r\n2\",x\n,\"\"\rlast,a\"b";
        assert_eq!(
            read(text),
            [
                (1, cells(&["a", "b,\"c\"", "d"])),
                (4, cells(&["1\r\n2", "x"])),
                (6, cells(&["", ""])),
                (7, cells(&["last", "a\"b"])),
            ]
        );
        let ended: Vec<bool> = rows(text, ',', 1_000).iter().map(|row| row.ended).collect();
        assert_eq!(ended, [true, true, true, false]);
    }

    #[test]
    fn a_stray_quote_costs_one_line() {
        let bad = Err("malformed_quotes");
        assert_eq!(
            read("a,\"b\nc,\"d\"\ne,f"),
            [(1, bad.clone()), (2, cells(&["c", "d"])), (3, cells(&["e", "f"]))]
        );
        assert_eq!(read("a,\"b\" ,c\nd"), [(1, bad.clone()), (2, cells(&["d"]))]);
        let long = format!("a,\"{}\nb,c\n", "x\n".repeat(100));
        let read = read(&long);
        assert_eq!((read.len(), &read[0].1, &read[100].1), (101, &bad, &cells(&["b", "c"])));
    }

    #[test]
    fn endless_lines_are_not_read() {
        let text = format!("{}\na,b\n", ",".repeat(RECORD_BYTES_MAX + 1));
        assert_eq!(read(&text), [(1, Err("line_too_long")), (2, cells(&["a", "b"]))]);
    }

    #[test]
    fn hostile_quotes_take_linear_time() {
        // Each line leaves a quote open, whether it begins inside of one or not.
        let text = "a\"b,\"c\n".repeat(100_000);
        let started = std::time::Instant::now();
        assert_eq!(rows(&text, ',', 100_000).len(), 100_000);
        assert!(started.elapsed().as_secs() < 20);
    }
}
