// SPDX-License-Identifier: Apache-2.0

//! An interop peer over quinn and h3. What every peer takes and prints stands in tests/interop/README.md.

mod client;
mod report;
mod server;
mod settings;
mod tls;
mod transport;

use settings::Settings;

pub const EXIT_FAILED: i32 = 1;
pub const EXIT_USAGE: i32 = 2;
pub const EXIT_HTTP: i32 = 22;
pub const EXIT_UNSUPPORTED: i32 = 127;

const USAGE: &str = "usage: quinn-peer server|client|version [FLAGS] [PATH...]";

pub type Failure = Box<dyn std::error::Error + Send + Sync>;

pub fn stop(code: i32, why: impl std::fmt::Display) -> ! {
    eprintln!("{why}");
    std::process::exit(code)
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let mode = arguments.next().unwrap_or_default();
    if mode == "version" {
        println!("quinn {}", locked_version("quinn"));
        return;
    }
    let settings = Settings::parse(arguments).unwrap_or_else(|why| stop(EXIT_USAGE, why));
    let code = match mode.as_str() {
        "server" => server::serve(settings).await,
        "client" => client::download(settings).await,
        _ => stop(EXIT_USAGE, USAGE),
    };
    std::process::exit(code.unwrap_or_else(|why| stop(EXIT_FAILED, why)))
}

/// What the lock file that this was built from says.
fn locked_version(name: &str) -> &'static str {
    let heading = format!("name = \"{name}\"\nversion = \"");
    include_str!("../Cargo.lock")
        .split_once(&heading)
        .and_then(|(_, rest)| rest.split('"').next())
        .unwrap_or("(unknown)")
}
