//! The unit tests of the extension's pure modules. The extension itself is a library that only
//! PostgreSQL can load, so its pure modules are compiled here once more, under the same names:
//! what they call `crate::money` is this file's `money`. A module that does not compile here is
//! not pure. A new `src/<noun>/rules.rs` is added as the others are.
#![allow(dead_code, unused_imports, clippy::all)]

#[path = "../../src/address.rs"]
mod address;
#[path = "../../src/error.rs"]
mod error;
#[path = "../../src/form.rs"]
mod form;
#[path = "../../src/json.rs"]
mod json;
#[path = "../../src/money.rs"]
mod money;
#[path = "../../src/time.rs"]
mod time;

// The path of a module with a body is the folder of what is in it.
#[path = "../../src/access"]
mod access {
    pub mod rules;
}
#[path = "../../src/account"]
mod account {
    pub mod rules;
}
#[path = "../../src/bank"]
mod bank {
    pub mod rules;
    pub mod gateway {
        pub mod rules;
    }
    pub mod intent {
        pub mod rules;
    }
    pub mod mutation {
        pub mod rules;
    }
    pub mod proof {
        pub mod rules;
    }
    pub mod statement {
        pub mod rules;
    }
    pub mod webhook {
        pub mod rules;
    }
}
#[path = "../../src/escrow"]
mod escrow {
    pub mod rules;
    pub mod group {
        pub mod rules;
    }
}
#[path = "../../src/event"]
mod event {
    pub mod rules;
}
#[path = "../../src/finance"]
mod finance {
    pub mod rules;
}
#[path = "../../src/hold"]
mod hold {
    pub mod rules;
}
#[path = "../../src/idempotency"]
mod idempotency {
    pub mod rules;
}
#[path = "../../src/identification"]
mod identification {
    pub mod rules;
}
#[path = "../../src/install"]
mod install {
    pub mod rules;
}
#[path = "../../src/ledger"]
mod ledger {
    pub mod rules;
}
#[path = "../../src/limit"]
mod limit {
    pub mod rules;
}
#[path = "../../src/people"]
mod people {
    pub mod rules;
}
#[path = "../../src/posting"]
mod posting {
    pub mod rules;
}
#[path = "../../src/purchase"]
mod purchase {
    pub mod rules;
}
#[path = "../../src/rate"]
mod rate {
    pub mod rules;
}
#[path = "../../src/reading"]
mod reading {
    pub mod rules;
}
#[path = "../../src/reversal"]
mod reversal {
    pub mod rules;
}
#[path = "../../src/setting"]
mod setting {
    pub mod rules;
}
#[path = "../../src/subscription"]
mod subscription {
    pub mod rules;
}
#[path = "../../src/trigger"]
mod trigger {
    pub mod rules;
}
#[path = "../../src/verify"]
mod verify {
    pub mod rules;
}

/// Every pure module is mounted above: one that is forgotten would go untested unnoticed.
#[test]
fn every_rules_module_is_mounted() {
    let source = include_str!("rules.rs");
    let src = concat!(env!("CARGO_MANIFEST_DIR"), "/../src");
    for entry in std::fs::read_dir(src).unwrap().flatten() {
        let noun = entry.file_name().into_string().unwrap();
        if entry.path().join("rules.rs").is_file() {
            assert!(source.contains(&format!("#[path = \"../../src/{noun}\"]")), "{noun} is missing");
        }
    }
}
