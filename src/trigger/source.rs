//! What fired the trigger, and the rows that it is about: PostgreSQL's `TriggerData`, read in place.
//!
//! What the rows hold is read by `reader`.

use super::rules::column::{Column, Holds};
use super::rules::marking::KeyType;
use pgrx::pg_sys;
use std::ffi::{CStr, CString, c_char};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    Insert,
    Update,
    Other,
}

/// One firing of the trigger.
pub struct Firing<'a> {
    data: &'a pg_sys::TriggerData,
    trigger: &'a pg_sys::Trigger,
}

impl Firing<'_> {
    /// # Safety
    /// `fcinfo` must be that of the call; the value must not outlive it.
    pub unsafe fn of(fcinfo: pg_sys::FunctionCallInfo) -> Option<Self> {
        // SAFETY: PostgreSQL hands a TriggerData to what it calls as a trigger, and the tag says so.
        unsafe {
            let context = (*fcinfo).context;
            if context.is_null() || (*context).type_ != pg_sys::NodeTag::T_TriggerData {
                return None;
            }
            let data = &*context.cast::<pg_sys::TriggerData>();
            Some(Self { data, trigger: data.tg_trigger.as_ref()? })
        }
    }

    pub fn event(&self) -> Event {
        match self.data.tg_event & pg_sys::TRIGGER_EVENT_OPMASK {
            pg_sys::TRIGGER_EVENT_INSERT => Event::Insert,
            pg_sys::TRIGGER_EVENT_UPDATE => Event::Update,
            _ => Event::Other,
        }
    }

    pub fn is_after(&self) -> bool {
        self.data.tg_event & pg_sys::TRIGGER_EVENT_TIMINGMASK == pg_sys::TRIGGER_EVENT_AFTER
    }

    pub fn is_before(&self) -> bool {
        self.data.tg_event & pg_sys::TRIGGER_EVENT_TIMINGMASK == pg_sys::TRIGGER_EVENT_BEFORE
    }

    pub fn per_row(&self) -> bool {
        self.data.tg_event & pg_sys::TRIGGER_EVENT_ROW != 0
    }

    pub fn name(&self) -> String {
        text(self.trigger.tgname)
    }

    pub fn arguments(&self) -> Vec<String> {
        let count = usize::try_from(self.trigger.tgnargs).unwrap_or_default();
        // SAFETY: tgargs has tgnargs strings.
        (0..count).map(|index| text(unsafe { *self.trigger.tgargs.add(index) })).collect()
    }

    /// The table that the trigger fired on: for triggers per row, the partition.
    pub fn relation(&self) -> pg_sys::Oid {
        // SAFETY: the relation is open while the trigger runs.
        unsafe { (*self.data.tg_relation).rd_id }
    }

    pub fn is_partition(&self) -> bool {
        // SAFETY: as above.
        unsafe { (*(*self.data.tg_relation).rd_rel).relispartition }
    }

    fn descriptor(&self) -> pg_sys::TupleDesc {
        // SAFETY: as above.
        unsafe { (*self.data.tg_relation).rd_att }
    }

    /// The row that fired, for a BEFORE trigger to hand back as it is.
    pub fn row(&self) -> pg_sys::Datum {
        pg_sys::Datum::from(self.data.tg_trigtuple)
    }

    /// The table's columns, and the number of each in the row.
    pub fn columns(&self) -> (Vec<Column>, Vec<Attribute>) {
        let descriptor = self.descriptor();
        // SAFETY: the descriptor has natts attributes.
        let attributes =
            unsafe { (*descriptor).attrs.as_slice(usize::try_from((*descriptor).natts).unwrap_or_default()) };
        attributes
            .iter()
            .filter(|attribute| !attribute.attisdropped)
            .map(|attribute| {
                let base_type = base_type(attribute.atttypid);
                let column = Column {
                    name: text(attribute.attname.data.as_ptr()),
                    type_name: type_name(attribute.atttypid),
                    holds: holds(base_type),
                };
                (column, Attribute { number: attribute.attnum, base_type, type_oid: attribute.atttypid })
            })
            .unzip()
    }

    /// The columns of the primary key in its own order; empty where there is none.
    pub fn key_columns(&self) -> Vec<i16> {
        // SAFETY: the relation is open; the index is closed again, its lock kept to the end of the transaction.
        unsafe {
            #[cfg(not(feature = "pg18"))]
            let oid = pg_sys::RelationGetPrimaryKeyIndex(self.data.tg_relation);
            #[cfg(feature = "pg18")]
            let oid = pg_sys::RelationGetPrimaryKeyIndex(self.data.tg_relation, false);
            if oid == pg_sys::InvalidOid {
                return Vec::new();
            }
            let index = pg_sys::index_open(oid, pg_sys::AccessShareLock as pg_sys::LOCKMODE);
            let form = &*(*index).rd_index;
            let count = usize::try_from(form.indnkeyatts).unwrap_or_default();
            let columns = form.indkey.values.as_slice(count).to_vec();
            pg_sys::index_close(index, pg_sys::NoLock as pg_sys::LOCKMODE);
            columns
        }
    }

    /// Whether the transition tables that the event needs are there.
    pub fn has_transition_tables(&self) -> bool {
        !self.data.tg_newtable.is_null()
            && (self.event() == Event::Insert || !self.data.tg_oldtable.is_null())
    }

    /// Calls `visit` with every pair of rows, old and new; a pair's old side is empty for an INSERT.
    ///
    /// PostgreSQL adds the two rows of an UPDATE together, so where both transition tables have the
    /// same count, rows at the same place belong together, whatever happened to their keys. They have
    /// not when a row left its partition and a BEFORE trigger of the other one dropped it: then `None`
    /// is returned, nothing has been visited, and [`Self::old_rows`] and [`Self::new_rows`] tell.
    pub fn pairs(&self, mut visit: impl FnMut(Option<Slot>, Slot)) -> Option<()> {
        let update = self.event() == Event::Update;
        if self.per_row() {
            let (old, new) = if update {
                (Some(Slot(self.data.tg_trigslot)), Slot(self.data.tg_newslot))
            } else {
                (None, Slot(self.data.tg_trigslot))
            };
            visit(old, new);
            return Some(());
        }
        if !update {
            self.inserted(|new| visit(None, new));
            return Some(());
        }
        let mut old_rows = Transition::open(self.data.tg_oldtable, self.descriptor());
        let mut new_rows = Transition::open(self.data.tg_newtable, self.descriptor());
        if old_rows.count() != new_rows.count() {
            return None;
        }
        while let (Some(old), Some(new)) = (old_rows.next(), new_rows.next()) {
            visit(Some(old), new);
        }
        Some(())
    }

    /// Calls `visit` with every inserted row.
    pub fn inserted(&self, mut visit: impl FnMut(Slot)) {
        if self.per_row() { visit(Slot(self.data.tg_trigslot)) } else { self.new_rows(visit) }
    }

    pub fn old_rows(&self, visit: impl FnMut(Slot)) {
        Transition::open(self.data.tg_oldtable, self.descriptor()).for_each(visit);
    }

    pub fn new_rows(&self, visit: impl FnMut(Slot)) {
        Transition::open(self.data.tg_newtable, self.descriptor()).for_each(visit);
    }
}

/// A column's place in the row and its type.
#[derive(Clone, Copy, Debug)]
pub struct Attribute {
    pub number: i16,
    pub base_type: pg_sys::Oid,
    pub type_oid: pg_sys::Oid,
}

impl Attribute {
    /// Whether the column's enum has this label.
    pub fn has_label(&self, label: &str) -> bool {
        let Ok(label) = CString::new(label) else { return false };
        if label.as_bytes().len() >= pg_sys::NAMEDATALEN as usize {
            return false;
        }
        // SAFETY: a catalogue look-up; the key is a name, which is shorter than NAMEDATALEN.
        unsafe {
            pg_sys::SearchSysCacheExists(
                pg_sys::SysCacheIdentifier::ENUMTYPOIDNAME as i32,
                pg_sys::Datum::from(self.base_type),
                pg_sys::Datum::from(label.as_ptr()),
                pg_sys::Datum::null(),
                pg_sys::Datum::null(),
            )
        }
    }
}

/// A row that PostgreSQL has put into a slot; valid until the next one is read.
#[derive(Clone, Copy)]
pub struct Slot(*mut pg_sys::TupleTableSlot);

impl Slot {
    /// The value of the column with this number; `None` where it is NULL.
    pub fn value(self, number: i16) -> Option<pg_sys::Datum> {
        // SAFETY: the slot holds a row of the trigger's table, and `number` is one of its columns.
        unsafe {
            if (*self.0).tts_nvalid < number {
                pg_sys::slot_getsomeattrs_int(self.0, i32::from(number));
            }
            let place = usize::try_from(number - 1).expect("columns count from 1");
            (!*(*self.0).tts_isnull.add(place)).then(|| *(*self.0).tts_values.add(place))
        }
    }
}

/// One transition table, read from its beginning with a read pointer of its own.
struct Transition {
    store: *mut pg_sys::Tuplestorestate,
    slot: *mut pg_sys::TupleTableSlot,
}

impl Transition {
    fn open(store: *mut pg_sys::Tuplestorestate, descriptor: pg_sys::TupleDesc) -> Self {
        // SAFETY: the tuplestore belongs to the statement and outlives the trigger; this is how the
        // executor itself reads it. Other readers have pointers of their own.
        unsafe {
            let pointer = pg_sys::tuplestore_alloc_read_pointer(store, pg_sys::EXEC_FLAG_REWIND as i32);
            pg_sys::tuplestore_select_read_pointer(store, pointer);
            pg_sys::tuplestore_rescan(store);
            Self {
                store,
                slot: pg_sys::MakeSingleTupleTableSlot(descriptor, &raw const pg_sys::TTSOpsMinimalTuple),
            }
        }
    }

    fn count(&self) -> i64 {
        // SAFETY: as above.
        unsafe { pg_sys::tuplestore_tuple_count(self.store) }
    }

    fn next(&mut self) -> Option<Slot> {
        // SAFETY: as above; the slot takes whatever the tuplestore hands out.
        unsafe { pg_sys::tuplestore_gettupleslot(self.store, true, false, self.slot) }
            .then_some(Slot(self.slot))
    }

    fn for_each(mut self, mut visit: impl FnMut(Slot)) {
        while let Some(slot) = self.next() {
            visit(slot);
        }
    }
}

impl Drop for Transition {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: made by `open` and not dropped since.
            unsafe { pg_sys::ExecDropSingleTupleTableSlot(self.slot) }
        }
    }
}

/// Schema and name of a relation.
pub fn relation_name(oid: pg_sys::Oid) -> (String, String) {
    // SAFETY: catalogue look-ups; NULL where the relation is gone.
    unsafe {
        (text(pg_sys::get_namespace_name(pg_sys::get_rel_namespace(oid))), text(pg_sys::get_rel_name(oid)))
    }
}

/// The type under all domains.
pub fn base_type(oid: pg_sys::Oid) -> pg_sys::Oid {
    // SAFETY: a catalogue look-up of a type that exists.
    unsafe { pg_sys::getBaseType(oid) }
}

/// What a column of this base type can hold.
pub fn holds(base_type: pg_sys::Oid) -> Holds {
    match base_type {
        pg_sys::INT2OID | pg_sys::INT4OID | pg_sys::INT8OID => Holds::Integer,
        pg_sys::NUMERICOID => Holds::Numeric,
        pg_sys::FLOAT4OID | pg_sys::FLOAT8OID => Holds::Float,
        pg_sys::TEXTOID | pg_sys::VARCHAROID | pg_sys::NAMEOID => Holds::Text,
        pg_sys::BPCHAROID => Holds::Padded,
        pg_sys::BOOLOID => Holds::Boolean,
        pg_sys::JSONOID => Holds::Json,
        pg_sys::JSONBOID => Holds::Jsonb,
        pg_sys::TIMESTAMPTZOID => Holds::Moment,
        // SAFETY: a catalogue look-up of a type that exists.
        oid if unsafe { pg_sys::get_typtype(oid) } as u8 == pg_sys::TYPTYPE_ENUM => Holds::Enum,
        _ => Holds::Other,
    }
}

/// How a key of this base type is written; `None` where no reference can be one.
pub fn key_type(base_type: pg_sys::Oid) -> Option<KeyType> {
    match base_type {
        pg_sys::INT2OID => Some(KeyType::Int2),
        pg_sys::INT4OID => Some(KeyType::Int4),
        pg_sys::INT8OID => Some(KeyType::Int8),
        pg_sys::NUMERICOID => Some(KeyType::Numeric),
        pg_sys::UUIDOID => Some(KeyType::Uuid),
        pg_sys::TEXTOID | pg_sys::VARCHAROID => Some(KeyType::Text),
        pg_sys::BPCHAROID => Some(KeyType::Padded),
        _ => None,
    }
}

/// The type's name as SQL writes it.
pub fn type_name(oid: pg_sys::Oid) -> String {
    // SAFETY: returns a string in the current memory, for any oid.
    text(unsafe { pg_sys::format_type_be(oid) })
}

fn text(pointer: *const c_char) -> String {
    if pointer.is_null() {
        return String::new();
    }
    // SAFETY: PostgreSQL's own strings end with NUL.
    unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
}
