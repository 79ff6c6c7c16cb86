//! What a till has sent, read entry by entry: one that cannot be read is refused by itself.

use crate::error::{LedgerError, Result, invalid, missing};
use crate::json::Field;
use crate::purchase::rules::entry::{Entry, check_authentication, check_entry_size, check_method};
use crate::purchase::rules::line::{self, TILL_FIELDS, Wanted};
use crate::purchase::rules::sequence::Digest;
use crate::spi::jsonb::{Document, Items};
use serde_json::json;
use sha2::{Digest as _, Sha256};

/// An element of the batch, taken apart.
pub struct Raw {
    /// What is kept of it where no purchase can be made of it: all, or the beginning of what is too large.
    pub document: Document,
    pub digest: Digest,
    bytes: usize,
    object: Items,
    lines: Option<Items>,
    authentication: Option<Items>,
}

impl Raw {
    pub fn new(document: Document) -> Self {
        let object = Items::of(&document);
        let nested = |name: &str| {
            let fields = object.fields()?;
            match fields.into_iter().find(|(key, _)| *key == name)?.1 {
                Field::Nested(bytes) => Some(Items::of(&Document::from_bytes(bytes))),
                _ => None,
            }
        };
        let (lines, authentication) = (nested("items"), nested("authentication"));
        let digest = Sha256::digest(document.as_bytes()).into();
        let bytes = document.as_bytes().len();
        let document = if check_entry_size(bytes).is_ok() { document } else { beginning(&document) };
        Self { document, digest, bytes, object, lines, authentication }
    }
}

/// The first characters of a document that is too large to be kept, and its size.
fn beginning(document: &Document) -> Document {
    const CHARACTERS: usize = 1_000;
    let text: String = document.to_text().chars().take(CHARACTERS).collect();
    Document::of_value(&json!({ "bytes": document.as_bytes().len(), "beginning": text }))
}

/// An entry that can be read. Its member need not exist.
pub struct Sold<'a> {
    pub member: &'a str,
    pub at: i64,
    pub reference: Option<&'a str>,
    pub lines: Vec<Wanted<'a>>,
    /// How the till identified the buyer: its word, with the method in it.
    pub authentication: Option<Document>,
    pub method: Option<&'a str>,
}

/// An entry with the number that it has, if that can be read.
pub struct Sent<'a> {
    pub raw: &'a Raw,
    pub sequence: Option<i64>,
    pub sold: Result<Sold<'a>>,
}

impl<'a> Sent<'a> {
    pub fn read(raw: &'a Raw) -> Self {
        let mut entry = Entry::default();
        let mut fault = None;
        match raw.object.fields() {
            None => fault = Some(invalid("entry", "be a JSON object")),
            Some(fields) => {
                for (key, field) in fields {
                    // Its number is wanted whatever else is wrong.
                    if let Err(error) = entry.set(key, field) {
                        fault.get_or_insert(error);
                    }
                }
            }
        }
        let fault = check_entry_size(raw.bytes).err().or(fault);
        let sold = fault.map_or(Ok(()), Err).and_then(|()| sold(raw, &entry));
        Self { raw, sequence: entry.sequence, sold }
    }
}

fn sold<'a>(raw: &'a Raw, entry: &Entry<'a>) -> Result<Sold<'a>> {
    entry.check()?;
    let authentication = raw.authentication.as_ref().map(Items::to_document);
    check_authentication(authentication.as_ref().map_or(0, |document| document.as_bytes().len()))?;
    Ok(Sold {
        member: entry.member()?,
        at: entry.at()?,
        reference: entry.reference,
        lines: lines(raw.lines.as_ref().ok_or_else(|| missing("items"))?)?,
        method: raw.authentication.as_ref().map(method).transpose()?,
        authentication,
    })
}

fn lines(items: &Items) -> Result<Vec<Wanted<'_>>> {
    let count = items.count("items")?;
    line::check_count(count)?;
    let mut lines: Vec<Wanted> = vec![Wanted::default(); count];
    let located = |index: usize| move |error: LedgerError| error.at_item(index);
    items.walk(
        "items",
        |index, key, field| lines[index].set(key, field, TILL_FIELDS).map_err(located(index)),
        |_| Ok(()),
    )?;
    for (index, line) in lines.iter().enumerate() {
        line.check().map_err(located(index))?;
    }
    Ok(lines)
}

/// The method that an authentication names.
fn method(object: &Items) -> Result<&str> {
    let fields = object.fields().ok_or_else(|| invalid("authentication", "be a JSON object"))?;
    check_method(fields.into_iter().find(|(key, _)| *key == "method").map(|(_, field)| field))
}
