//! `jsonb` in its binary form: walking it and making it. Numbers stay numerics, strings stay slices, and but for
//! [`Document::from_text`] nothing is printed and parsed again.

mod build;

pub use build::{build, build_value};

use crate::error::{Code, LedgerError, Result};
use crate::json::Field;
use pgrx::pg_sys;
use std::ffi::CString;
use std::mem::MaybeUninit;

/// A jsonb value kept as its own bytes, for fields the ledger stores but does not look into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document(Vec<u8>);

impl Document {
    /// # Safety
    /// `datum` must be a non-NULL jsonb.
    pub unsafe fn from_datum(datum: pg_sys::Datum) -> Self {
        // SAFETY: as the caller vouches; the copy outlives the datum.
        unsafe {
            let plain = pg_sys::pg_detoast_datum(datum.cast_mut_ptr());
            let size = pgrx::varlena::varsize_any_exhdr(plain);
            let data = pgrx::varlena::vardata_any(plain).cast::<u8>();
            Self(std::slice::from_raw_parts(data, size).to_vec())
        }
    }

    /// Of what serde can serialize.
    pub fn of(value: &(impl serde::Serialize + ?Sized)) -> Self {
        // SAFETY: the datum is a jsonb that was just made.
        unsafe { Self::from_datum(build(value)) }
    }

    /// Of JSON.
    pub fn of_value(value: &serde_json::Value) -> Self {
        // SAFETY: as above.
        unsafe { Self::from_datum(build_value(value)) }
    }

    /// From JSON text without a NUL.
    pub fn from_text(text: String) -> Self {
        let text = CString::new(text).expect("JSON text escapes NUL");
        let argument = [Some(pg_sys::Datum::from(text.as_ptr()))];
        // SAFETY: an input function and its text, which lives through the call; what it makes is a jsonb.
        unsafe {
            let datum = pgrx::direct_function_call_as_datum(pg_sys::jsonb_in, &argument);
            Self::from_datum(datum.expect("an input function returns a value"))
        }
    }

    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// The canonical bytes: jsonb sorts keys and drops duplicates, so equal values have equal bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The value as JSON text. Numbers keep all of their digits, which a parser into floats would not.
    pub fn to_text(&self) -> String {
        // SAFETY: the datum is a jsonb that `to_datum` has just made; the text is PostgreSQL's own.
        unsafe {
            let jsonb = self.to_datum().cast_mut_ptr::<pg_sys::Jsonb>();
            let size = i32::try_from(self.0.len()).unwrap_or(i32::MAX);
            let text = pg_sys::JsonbToCString(std::ptr::null_mut(), &raw mut (*jsonb).root, size);
            let owned = std::ffi::CStr::from_ptr(text).to_string_lossy().into_owned();
            pg_sys::pfree(text.cast());
            pg_sys::pfree(jsonb.cast());
            owned
        }
    }

    /// The string under a key of an object; `None` where there is none.
    pub fn text(&self, key: &str) -> Option<String> {
        use pg_sys::JsonbIteratorToken as Token;
        let jsonb = self.to_datum().cast_mut_ptr::<pg_sys::Jsonb>();
        let mut cursor = Cursor::over(jsonb);
        let mut found = None;
        if cursor.next(false) == Token::WJB_BEGIN_OBJECT {
            while found.is_none() && cursor.next(true) == Token::WJB_KEY {
                let is_wanted = matches!(cursor.field(), Field::Text(name) if name == key);
                cursor.next(true);
                if is_wanted {
                    found = Some(match cursor.field() {
                        Field::Text(text) => Some(text.to_owned()),
                        _ => None,
                    });
                }
            }
        }
        // SAFETY: made above, and nothing of it is kept.
        unsafe { pg_sys::pfree(jsonb.cast()) };
        found.flatten()
    }

    pub fn to_datum(&self) -> pg_sys::Datum {
        let size = self.0.len() + 4;
        // SAFETY: palloc returns `size` writable bytes; jsonb is a varlena with a four-byte header.
        unsafe {
            let target = pg_sys::palloc(size).cast::<u8>();
            pgrx::varlena::set_varsize_4b(target.cast(), size as i32);
            std::ptr::copy_nonoverlapping(self.0.as_ptr(), target.add(4), self.0.len());
            pg_sys::Datum::from(target)
        }
    }
}

/// A jsonb argument, detoasted, that can be walked as an array of flat objects.
pub struct Items {
    root: *mut pg_sys::Jsonb,
}

impl Items {
    /// # Safety
    /// `datum` must be a non-NULL jsonb that outlives the value.
    pub unsafe fn from_datum(datum: pg_sys::Datum) -> Self {
        // SAFETY: as the caller vouches.
        Self { root: unsafe { pg_sys::pg_detoast_datum(datum.cast_mut_ptr()) }.cast() }
    }

    /// A copy, whose bytes are canonical.
    pub fn to_document(&self) -> Document {
        // SAFETY: a detoasted jsonb.
        unsafe { Document::from_datum(pg_sys::Datum::from(self.root)) }
    }

    /// How large it is.
    pub fn bytes(&self) -> usize {
        // SAFETY: a detoasted jsonb.
        unsafe { pgrx::varlena::varsize_any_exhdr(self.root.cast()) }
    }

    /// How many elements the array has, without walking it. `name` is the argument it came from.
    pub fn count(&self, name: &str) -> Result<usize> {
        const COUNT_MASK: u32 = 0x0FFF_FFFF;
        const IS_SCALAR: u32 = 0x1000_0000;
        const IS_ARRAY: u32 = 0x4000_0000;
        // SAFETY: a detoasted jsonb begins with its container header.
        let header = unsafe { (*self.root).root.header };
        if header & IS_ARRAY == 0 || header & IS_SCALAR != 0 {
            return Err(LedgerError::new(Code::InvalidJson, format!("{name} must be a JSON array"))
                .with("argument", name));
        }
        Ok((header & COUNT_MASK) as usize)
    }

    /// The value of a document that was kept. Made in the current memory context, which outlives it.
    pub fn of(document: &Document) -> Self {
        Self { root: document.to_datum().cast_mut_ptr() }
    }

    /// The elements of the array, each as a value of its own.
    pub fn elements(&self, name: &str) -> Result<Vec<Document>> {
        let mut elements = Vec::with_capacity(self.count(name)?);
        let mut cursor = Cursor::over(self.root);
        cursor.next(true);
        while cursor.next(true) == pg_sys::JsonbIteratorToken::WJB_ELEM {
            elements.push(cursor.document());
        }
        Ok(elements)
    }

    /// The keys of an object with their values; `None` for anything else.
    pub fn fields<'a>(&'a self) -> Option<Vec<(&'a str, Field<'a>)>> {
        const IS_OBJECT: u32 = 0x2000_0000;
        // SAFETY: a detoasted jsonb begins with its container header.
        if unsafe { (*self.root).root.header } & IS_OBJECT == 0 {
            return None;
        }
        let mut fields = Vec::new();
        let mut cursor = Cursor::over(self.root);
        cursor.next(false);
        while cursor.next(true) == pg_sys::JsonbIteratorToken::WJB_KEY {
            let Field::Text(key) = cursor.field() else { unreachable!("a key is a string") };
            cursor.next(true);
            fields.push((key, cursor.field()));
        }
        Some(fields)
    }

    /// Calls `visit(index, key, field)` for every key of every object, and `end(index)` after each.
    pub fn walk<'a>(
        &'a self,
        name: &str,
        mut visit: impl FnMut(usize, &'a str, Field<'a>) -> Result<()>,
        mut end: impl FnMut(usize) -> Result<()>,
    ) -> Result<()> {
        use pg_sys::JsonbIteratorToken as Token;
        self.count(name)?;
        let mut cursor = Cursor::over(self.root);
        cursor.next(false);
        let mut index = 0;
        loop {
            match cursor.next(false) {
                Token::WJB_END_ARRAY | Token::WJB_DONE => return Ok(()),
                Token::WJB_BEGIN_OBJECT => {}
                _ => {
                    return Err(LedgerError::new(Code::InvalidJson, "must be a JSON object").at_item(index));
                }
            }
            while cursor.next(true) == Token::WJB_KEY {
                let Field::Text(key) = cursor.field() else { unreachable!("a key is a string") };
                cursor.next(true);
                visit(index, key, cursor.field())?;
            }
            end(index)?;
            index += 1;
        }
    }
}

/// PostgreSQL's iterator and the value it stands on.
struct Cursor {
    iterator: *mut pg_sys::JsonbIterator,
    value: MaybeUninit<pg_sys::JsonbValue>,
}

impl Cursor {
    fn over(root: *mut pg_sys::Jsonb) -> Self {
        // SAFETY: `root` is a detoasted jsonb.
        let iterator = unsafe { pg_sys::JsonbIteratorInit(&raw mut (*root).root) };
        Self { iterator, value: MaybeUninit::zeroed() }
    }

    fn next(&mut self, skip_nested: bool) -> pg_sys::JsonbIteratorToken::Type {
        // SAFETY: the iterator is PostgreSQL's own; it fills `value`.
        unsafe { pg_sys::JsonbIteratorNext(&mut self.iterator, self.value.as_mut_ptr(), skip_nested) }
    }

    /// The value that the cursor stands on.
    fn document(&mut self) -> Document {
        // SAFETY: `next` has filled `value`; the jsonb is made of it.
        unsafe {
            let jsonb = pg_sys::JsonbValueToJsonb(self.value.as_mut_ptr());
            Document::from_datum(pg_sys::Datum::from(jsonb))
        }
    }

    fn field<'a>(&mut self) -> Field<'a> {
        use pg_sys::jbvType as Type;
        // SAFETY: `next` has filled `value`, and `type_` says which arm of the union is valid. Slices
        // point into the argument, which outlives the walk.
        unsafe {
            let value = self.value.assume_init_mut();
            match value.type_ {
                Type::jbvNull => Field::Null,
                Type::jbvBool => Field::Bool,
                Type::jbvNumeric => {
                    Field::Number(super::numeric::from_datum(pg_sys::Datum::from(value.val.numeric)))
                }
                Type::jbvString => {
                    let text = value.val.string;
                    let bytes = std::slice::from_raw_parts(text.val.cast::<u8>(), text.len as usize);
                    Field::Text(std::str::from_utf8(bytes).expect("the server's encoding is UTF-8"))
                }
                _ => {
                    let nested = pg_sys::JsonbValueToJsonb(value);
                    Field::Nested(Document::from_datum(pg_sys::Datum::from(nested)).0)
                }
            }
        }
    }
}
