//! Is a reported movement one that is known already?
//!
//! The same source never reports a movement twice under one id; the id decides before anything here is
//! asked. What is left:
//!
//! * Another source may have reported it: a webhook and a statement, a virtual account's notification and
//!   the aggregator. Such movements are paired one to one, by bank account, day, direction and amount;
//!   two payments that look alike stay two, because each stored one is paired with one of each source.
//! * The same source may have issued it again under a new id. Content cannot prove that, so a person
//!   decides.
//! * A statement's ids are made of what a line says and its place among those that say the same. So a line
//!   under a new id is a new line, if the file also has, under their own ids, those like it that this kind of
//!   statement reported before. A file without them has other columns, or begins within the day: then a
//!   person decides as well.

use super::is_statement;
use crate::bank::rules::when::When;
use uuid::Uuid;

/// A stored mutation of the same bank account, direction and amount, of about the same day.
#[derive(Clone, Debug)]
pub struct Similar {
    pub line: usize,
    pub mutation_id: Uuid,
    pub source_id: i16,
    pub when: When,
    pub description: String,
    /// The arrival's source has reported it before under another id.
    pub seen_by_source: bool,
}

/// What an arrival turns out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Same {
    /// Nothing that is known.
    New,
    /// This mutation, reported by another source.
    Sighting(Uuid),
    /// Perhaps this mutation, reported again by its source under a new id.
    Reissue(Uuid),
}

/// Recognises an arrival among the stored mutations that resemble it. `claimed` says which of them another
/// line of the same call was recognised as: any line by its id, or an earlier one by its content.
pub fn recognise(
    source_id: i16,
    when: When,
    description: &str,
    similar: &[&Similar],
    claimed: impl Fn(Uuid) -> bool,
) -> Same {
    let text = normalised(description);
    let same_text = |other: &Similar| normalised(&other.description) == text;
    let free = |other: &&&Similar| {
        other.source_id != source_id && !other.seen_by_source && !claimed(other.mutation_id)
    };
    let same_day = similar.iter().filter(free).filter(|other| other.when.day == when.day);
    // Of several that fit, the one that says the same, then the nearest in time.
    let best = same_day.min_by_key(|other| (!same_text(other), other.when.from.abs_diff(when.from)));
    let neighbour = || {
        // Banks book what comes late in the evening on the next day; then the words must be the same.
        similar.iter().filter(free).find(|other| !text.is_empty() && same_text(other))
    };
    if let Some(other) = best.or_else(neighbour) {
        return Same::Sighting(other.mutation_id);
    }
    let again = similar.iter().find(|other| {
        let is_own = other.source_id == source_id;
        if is_statement(source_id) {
            let is_absent = !claimed(other.mutation_id);
            return (is_own || other.seen_by_source) && other.when.day == when.day && is_absent;
        }
        // The statement has one line, and this source has reported it already.
        let surplus = is_statement(other.source_id)
            && other.when.day == when.day
            && (other.seen_by_source || claimed(other.mutation_id));
        (is_own && other.when == when && other.description == description) || surplus
    });
    again.map_or(Same::New, |other| Same::Reissue(other.mutation_id))
}

/// The words of a description, whatever their case and the blanks between them.
fn normalised(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::super::SOURCE_STATEMENT;
    use super::*;

    const MOOTA: i16 = 1;

    fn when(hour: i64) -> When {
        When::at(hour * 3_600_000_000)
    }

    fn similar(id: u128, source_id: i16, hour: i64, description: &str, seen: bool) -> Similar {
        Similar {
            line: 0,
            mutation_id: Uuid::from_u128(id),
            source_id,
            when: when(hour),
            description: description.to_owned(),
            seen_by_source: seen,
        }
    }

    fn recognised(source_id: i16, hour: i64, description: &str, stored: &[Similar]) -> Same {
        let stored: Vec<&Similar> = stored.iter().collect();
        recognise(source_id, when(hour), description, &stored, |_| false)
    }

    #[test]
    fn another_source_pairs_once() {
        let id = Uuid::from_u128(1);
        let stored = [similar(1, MOOTA, 3, "TRSF E-BANKING", false)];
        assert_eq!(recognised(SOURCE_STATEMENT, 5, "trsf  e-banking cr", &stored), Same::Sighting(id));
        let refs: Vec<&Similar> = stored.iter().collect();
        assert_eq!(recognise(SOURCE_STATEMENT, when(5), "x", &refs, |_| true), Same::New);
        // A second kind of statement is a source of its own.
        let csv = [similar(1, SOURCE_STATEMENT, 3, "TRSF", false)];
        assert_eq!(recognised(SOURCE_STATEMENT + 1, 5, "NTRF", &csv), Same::Sighting(id));
    }

    #[test]
    fn of_several_the_one_that_says_the_same() {
        let stored = [similar(1, MOOTA, 3, "a", false), similar(2, MOOTA, 9, "b", false)];
        assert_eq!(recognised(SOURCE_STATEMENT, 3, "B", &stored), Same::Sighting(Uuid::from_u128(2)));
        assert_eq!(recognised(SOURCE_STATEMENT, 8, "c", &stored), Same::Sighting(Uuid::from_u128(2)));
    }

    #[test]
    fn the_next_day_needs_the_same_words() {
        let stored = [similar(1, MOOTA, 16, "KEVIN 50123", false)];
        // 17:00 UTC is the next day in WIB.
        assert_eq!(
            recognised(SOURCE_STATEMENT, 17, "kevin 50123", &stored),
            Same::Sighting(Uuid::from_u128(1))
        );
        assert_eq!(recognised(SOURCE_STATEMENT, 17, "someone else", &stored), Same::New);
    }

    #[test]
    fn the_same_content_under_a_new_id_is_for_a_person() {
        let stored = [similar(1, MOOTA, 3, "a", false)];
        assert_eq!(recognised(MOOTA, 3, "a", &stored), Same::Reissue(Uuid::from_u128(1)));
        assert_eq!(recognised(MOOTA, 4, "a", &stored), Same::New);
        assert_eq!(recognised(MOOTA, 3, "b", &stored), Same::New);
        let statement = [similar(1, SOURCE_STATEMENT, 3, "a", true)];
        assert_eq!(recognised(MOOTA, 3, "b", &statement), Same::Reissue(Uuid::from_u128(1)));
    }

    #[test]
    fn a_statement_reports_a_new_line_beside_those_that_it_reported_before() {
        let id = Uuid::from_u128(1);
        for stored in [similar(1, MOOTA, 3, "a", true), similar(1, SOURCE_STATEMENT, 3, "b", false)] {
            let recognised =
                |hour, known| recognise(SOURCE_STATEMENT, when(hour), "a", &[&stored], |_| known);
            // The file has the stored line under its own id, or it does not.
            assert_eq!(recognised(5, true), Same::New);
            assert_eq!(recognised(5, false), Same::Reissue(id));
            assert_eq!(recognised(17, false), Same::New, "the next day");
        }
    }
}
