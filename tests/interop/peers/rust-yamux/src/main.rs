// SPDX-License-Identifier: Apache-2.0
//! yamux of Parity, as a server and a client: README.md has what it takes and prints.
mod exchange;
mod session;
mod visits;

use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use yamux::{ConnectionError, Mode};

const EXIT_UNSUPPORTED: i32 = 127;

#[derive(Default)]
struct Settings {
    address: String,
    greet: bool,
    scenario: String,
}

fn parse(mut words: impl Iterator<Item = String>) -> Settings {
    let mut settings = Settings { address: "127.0.0.1:0".into(), ..Default::default() };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--listen" | "--connect" => settings.address = words.next().unwrap_or_default(),
            // The library pings by itself, every ten seconds.
            "--keep-alive" => drop(words.next()),
            "--greet" => settings.greet = true,
            _ => settings.scenario = word,
        }
    }
    settings
}

async fn serve_connection(socket: TcpStream, greet: bool) {
    let (orders, mut incoming, end) = session::start(socket, Mode::Server);
    while let Some(stream) = incoming.recv().await {
        let orders = orders.clone();
        tokio::spawn(async move {
            if let Err(why) = exchange::serve(stream, orders, greet).await {
                eprintln!("a stream ended: {why}");
            }
        });
    }
    let ended = end.await.unwrap_or(Err(ConnectionError::Closed));
    if let Err(why) = &ended {
        eprintln!("closed: {why}");
    }
    println!("{{\"event\":\"closed\",\"clean\":{}}}", matches!(ended, Ok(()) | Err(ConnectionError::Closed)));
}

async fn serve(settings: Settings) -> std::io::Result<()> {
    let listener = TcpListener::bind(&settings.address).await?;
    println!("listening on {}", listener.local_addr()?);
    let mut asked = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (socket, _) = accepted?;
                socket.set_nodelay(true)?;
                tokio::spawn(serve_connection(socket, settings.greet));
            }
            _ = asked.recv() => return Ok(()),
        }
    }
}

async fn run_client(settings: Settings) -> std::io::Result<i32> {
    let socket = TcpStream::connect(&settings.address).await?;
    socket.set_nodelay(true)?;
    let (orders, _incoming, mut end) = session::start(socket, Mode::Client);
    let outcome = visits::visit(orders.clone(), &mut end, &settings.scenario).await;
    orders.close();
    if settings.scenario != "server-closes" {
        let _ = tokio::time::timeout(Duration::from_secs(5), end).await;
    }
    Ok(match outcome {
        visits::Outcome::Passed => 0,
        visits::Outcome::Wrong(why) => {
            eprintln!("{why}");
            1
        }
        visits::Outcome::Unsupported(why) => {
            eprintln!("unsupported: {why}");
            EXIT_UNSUPPORTED
        }
    })
}

/// The version of a crate that the lock names.
fn locked_version(name: &str) -> &'static str {
    let heading = format!("name = \"{name}\"\nversion = \"");
    let after = include_str!("../Cargo.lock").split(&heading).nth(1).unwrap_or("?");
    after.split('"').next().unwrap_or("?")
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let mut words = std::env::args().skip(1);
    match words.next().as_deref() {
        Some("version") => println!("rust-yamux {}", locked_version("yamux")),
        Some("server") => serve(parse(words)).await?,
        Some("client") => std::process::exit(run_client(parse(words)).await?),
        _ => std::process::exit(2),
    }
    Ok(())
}
