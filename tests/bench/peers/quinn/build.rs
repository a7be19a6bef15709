// SPDX-License-Identifier: Apache-2.0

//! The lock says which quinn this is; quinn itself does not.
fn main() {
    println!("cargo:rerun-if-changed=Cargo.lock");
    let lock = std::fs::read_to_string("Cargo.lock").unwrap_or_default();
    let version = lock
        .split("[[package]]")
        .find(|package| package.contains("name = \"quinn\"\n"))
        .and_then(|package| package.split("version = \"").nth(1)?.split('"').next())
        .unwrap_or("(unknown)");
    println!("cargo:rustc-env=QUINN_VERSION={version}");
}
