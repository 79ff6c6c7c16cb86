//! Making `jsonb` of what serde can serialize, in its binary form.

use crate::spi::numeric;
use pgrx::pg_sys::{self, JsonbIteratorToken as Token, JsonbValue, jbvType as Type};
use rust_decimal::Decimal;
use serde::ser::{
    Error as _, Impossible, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeTuple,
    Serializer,
};
use std::ffi::CString;
use std::fmt::Display;
use std::ptr::null_mut;

/// A jsonb value, made in the current memory context.
///
/// # Panics
/// On text with a NUL, which PostgreSQL does not store, and on what has no form in JSON: bytes, keys that are not
/// text, and enums with fields.
pub fn build(value: &(impl Serialize + ?Sized)) -> pg_sys::Datum {
    let mut builder = Builder { state: null_mut(), root: null_mut(), texts: Vec::new() };
    let part = Part { builder: &mut builder, role: Role::Root };
    value.serialize(part).expect("the value can be told in JSON");
    // SAFETY: serializing a value pushes it whole, and that leaves a root, whose texts the builder still has.
    pg_sys::Datum::from(unsafe { pg_sys::JsonbValueToJsonb(builder.root) })
}

/// PostgreSQL's own builder, and what the values in it point to.
struct Builder {
    state: *mut pg_sys::JsonbParseState,
    /// What was finished last; in the end everything.
    root: *mut JsonbValue,
    texts: Vec<Box<str>>,
}

/// What a value is to the container around it.
#[derive(Clone, Copy)]
enum Role {
    Root,
    Key,
    Value,
    Element,
}

impl Builder {
    fn mark(&mut self, token: Token::Type) {
        // SAFETY: the beginning or the end of a container needs no value.
        self.root = unsafe { pg_sys::pushJsonbValue(&raw mut self.state, token, null_mut()) };
    }

    fn scalar(&mut self, role: Role, mut value: JsonbValue) -> Done {
        let token = match role {
            Role::Key if value.type_ != Type::jbvString => return Err(Failure::custom(NO_KEY)),
            Role::Key => Token::WJB_KEY,
            Role::Value => Token::WJB_VALUE,
            Role::Element => Token::WJB_ELEM,
            Role::Root => {
                // SAFETY: palloc returns room for a value.
                unsafe {
                    self.root = pg_sys::palloc(size_of::<JsonbValue>()).cast();
                    self.root.write(value);
                }
                return Ok(());
            }
        };
        // SAFETY: a scalar is copied; what it points to lives as long as the builder.
        unsafe { pg_sys::pushJsonbValue(&raw mut self.state, token, &raw mut value) };
        Ok(())
    }

    fn number(&mut self, role: Role, number: pg_sys::Datum) -> Done {
        let mut value = JsonbValue { type_: Type::jbvNumeric, ..JsonbValue::default() };
        value.val.numeric = number.cast_mut_ptr();
        self.scalar(role, value)
    }

    fn text(&mut self, role: Role, text: &str) -> Done {
        if text.contains('\0') {
            return Err(Failure::custom("text with a NUL"));
        }
        let kept: Box<str> = text.into();
        let mut value = JsonbValue { type_: Type::jbvString, ..JsonbValue::default() };
        value.val.string.len = i32::try_from(kept.len()).map_err(Failure::custom)?;
        value.val.string.val = kept.as_ptr().cast_mut().cast();
        self.texts.push(kept);
        self.scalar(role, value)
    }
}

/// One value on its way into the builder.
struct Part<'a> {
    builder: &'a mut Builder,
    role: Role,
}

impl<'a> Part<'a> {
    fn integer(self, number: Decimal) -> Done {
        self.builder.number(self.role, numeric::to_datum(number))
    }

    fn open(self, begin: Token::Type, end: Token::Type) -> Result<Container<'a>, Failure> {
        if matches!(self.role, Role::Key) {
            return Err(Failure::custom(NO_KEY));
        }
        self.builder.mark(begin);
        Ok(Container { builder: self.builder, end })
    }
}

/// An array or an object that is not finished.
struct Container<'a> {
    builder: &'a mut Builder,
    end: Token::Type,
}

impl Container<'_> {
    fn push(&mut self, role: Role, value: &(impl Serialize + ?Sized)) -> Result<(), Failure> {
        value.serialize(Part { builder: self.builder, role })
    }

    fn close(self) {
        self.builder.mark(self.end);
    }
}

type Done = Result<(), Failure>;

/// PostgreSQL takes keys for texts without looking.
const NO_KEY: &str = "a key that is not text";

#[derive(Debug)]
struct Failure(String);

impl Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

impl serde::ser::Error for Failure {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

impl<'a> Serializer for Part<'a> {
    type Ok = ();
    type Error = Failure;
    type SerializeSeq = Container<'a>;
    type SerializeTuple = Container<'a>;
    type SerializeMap = Container<'a>;
    type SerializeStruct = Container<'a>;
    type SerializeTupleStruct = Impossible<(), Failure>;
    type SerializeTupleVariant = Impossible<(), Failure>;
    type SerializeStructVariant = Impossible<(), Failure>;

    fn serialize_bool(self, value: bool) -> Done {
        let mut told = JsonbValue { type_: Type::jbvBool, ..JsonbValue::default() };
        told.val.boolean = value;
        self.builder.scalar(self.role, told)
    }

    fn serialize_i8(self, value: i8) -> Done {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Done {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Done {
        self.serialize_i64(value.into())
    }

    fn serialize_i64(self, value: i64) -> Done {
        self.integer(value.into())
    }

    fn serialize_u8(self, value: u8) -> Done {
        self.serialize_u64(value.into())
    }

    fn serialize_u16(self, value: u16) -> Done {
        self.serialize_u64(value.into())
    }

    fn serialize_u32(self, value: u32) -> Done {
        self.serialize_u64(value.into())
    }

    fn serialize_u64(self, value: u64) -> Done {
        self.integer(value.into())
    }

    fn serialize_f32(self, value: f32) -> Done {
        self.serialize_f64(value.into())
    }

    /// The digits that JSON would show; what is no number is null, as in JSON.
    fn serialize_f64(self, value: f64) -> Done {
        let Some(number) = serde_json::Number::from_f64(value) else { return self.serialize_unit() };
        let text = CString::new(number.to_string()).map_err(Failure::custom)?;
        let arguments = [
            Some(pg_sys::Datum::from(text.as_ptr())),
            Some(pg_sys::Datum::from(pg_sys::InvalidOid)),
            Some(pg_sys::Datum::from(-1_i32)),
        ];
        // SAFETY: the arguments of a type's input function; the text lives through the call.
        let number = unsafe { pgrx::direct_function_call_as_datum(pg_sys::numeric_in, &arguments) };
        self.builder.number(self.role, number.ok_or_else(|| Failure::custom("no number"))?)
    }

    fn serialize_char(self, value: char) -> Done {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Done {
        self.builder.text(self.role, value)
    }

    fn serialize_bytes(self, _value: &[u8]) -> Done {
        Err(Failure::custom("bytes"))
    }

    fn serialize_none(self) -> Done {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Done {
        self.builder.scalar(self.role, JsonbValue { type_: Type::jbvNull, ..JsonbValue::default() })
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Done {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _name: &'static str, _index: u32, variant: &'static str) -> Done {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _name: &'static str, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _value: &T,
    ) -> Done {
        Err(Failure::custom("an enum with fields"))
    }

    fn serialize_seq(self, _length: Option<usize>) -> Result<Container<'a>, Failure> {
        self.open(Token::WJB_BEGIN_ARRAY, Token::WJB_END_ARRAY)
    }

    fn serialize_tuple(self, length: usize) -> Result<Container<'a>, Failure> {
        self.serialize_seq(Some(length))
    }

    fn serialize_map(self, _length: Option<usize>) -> Result<Container<'a>, Failure> {
        self.open(Token::WJB_BEGIN_OBJECT, Token::WJB_END_OBJECT)
    }

    fn serialize_struct(self, _name: &'static str, length: usize) -> Result<Container<'a>, Failure> {
        self.serialize_map(Some(length))
    }

    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        _length: usize,
    ) -> Result<Self::SerializeTupleStruct, Failure> {
        Err(Failure::custom("a struct without names"))
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _length: usize,
    ) -> Result<Self::SerializeTupleVariant, Failure> {
        Err(Failure::custom("an enum with fields"))
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _length: usize,
    ) -> Result<Self::SerializeStructVariant, Failure> {
        Err(Failure::custom("an enum with fields"))
    }
}

impl SerializeSeq for Container<'_> {
    type Ok = ();
    type Error = Failure;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.push(Role::Element, value)
    }

    fn end(self) -> Done {
        self.close();
        Ok(())
    }
}

impl SerializeTuple for Container<'_> {
    type Ok = ();
    type Error = Failure;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.push(Role::Element, value)
    }

    fn end(self) -> Done {
        self.close();
        Ok(())
    }
}

impl SerializeMap for Container<'_> {
    type Ok = ();
    type Error = Failure;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Done {
        self.push(Role::Key, key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.push(Role::Value, value)
    }

    fn end(self) -> Done {
        self.close();
        Ok(())
    }
}

impl SerializeStruct for Container<'_> {
    type Ok = ();
    type Error = Failure;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Done {
        self.builder.text(Role::Key, key)?;
        self.push(Role::Value, value)
    }

    fn end(self) -> Done {
        self.close();
        Ok(())
    }
}
