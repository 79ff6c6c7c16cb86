//! Hands the extension's version to the tests.

fn main() {
    println!("cargo::rerun-if-changed=../Cargo.toml");
    let manifest = std::fs::read_to_string("../Cargo.toml").expect("the project's Cargo.toml");
    let version = manifest
        .lines()
        .find_map(|line| line.strip_prefix("version = \"")?.strip_suffix('"'))
        .expect("its version");
    println!("cargo::rustc-env=WL_EXTENSION_VERSION={version}");
}
