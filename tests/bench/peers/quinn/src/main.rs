// SPDX-License-Identifier: Apache-2.0

//! What tests/bench measures quinn with. What every program takes and prints stands in tests/bench/README.md.

mod client;
mod figures;
mod server;
mod settings;
mod transport;

use settings::Settings;

pub type Failure = Box<dyn std::error::Error + Send + Sync>;

#[global_allocator]
static COUNTING: figures::CountingAllocator = figures::CountingAllocator;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let mode = arguments.next().unwrap_or_default();
    if mode == "version" {
        println!("quinn {} with aws-lc-rs", env!("QUINN_VERSION"));
        return Ok(());
    }
    let settings = Settings::parse(arguments)?;
    let runtime = if settings.multi_thread {
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?
    } else {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
    };
    match mode.as_str() {
        "server" => runtime.block_on(server::serve(settings)),
        "bulk" => runtime.block_on(client::bulk(settings)),
        "handshake" => runtime.block_on(client::handshake(settings)),
        "pingpong" => runtime.block_on(client::pingpong(settings)),
        "hold" => runtime.block_on(client::hold(settings)),
        _ => Err("quinn-bench server|bulk|handshake|pingpong|hold|version [FLAGS]".into()),
    }
}
