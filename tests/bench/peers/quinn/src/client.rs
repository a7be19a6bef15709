// SPDX-License-Identifier: Apache-2.0

use std::time::{Duration, Instant};

use bytes::Bytes;
use quinn::{Connection, Endpoint, VarInt};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::task::JoinSet;

use crate::settings::Settings;
use crate::{Failure, figures, transport};

const CHUNKS: usize = 32;

async fn connect(endpoint: &Endpoint, settings: &Settings) -> Result<Connection, Failure> {
    Ok(endpoint.connect(settings.connect, "localhost")?.await?)
}

fn request(kind: u8, bytes: u64) -> Vec<u8> {
    [&[kind][..], &bytes.to_le_bytes()].concat()
}

async fn end(endpoint: &Endpoint, connection: &Connection) {
    connection.close(VarInt::from_u32(0), b"");
    figures::ended(connection);
    // Lets the CONNECTION_CLOSE leave; to wait until nothing is left would be three probe timeouts.
    let _ = tokio::time::timeout(Duration::from_millis(20), endpoint.wait_idle()).await;
}

/// How many bytes came.
async fn fetch(connection: &Connection, bytes: u64) -> Result<u64, Failure> {
    let (mut send, mut recv) = connection.open_bi().await?;
    send.write_all(&request(b'B', bytes)).await?;
    send.finish()?;
    let mut chunks: [Bytes; CHUNKS] = std::array::from_fn(|_| Bytes::new());
    let mut got = 0;
    while let Some(count) = recv.read_chunks(&mut chunks).await? {
        got += chunks[..count].iter().map(|c| c.len() as u64).sum::<u64>();
    }
    Ok(got)
}

pub async fn bulk(settings: Settings) -> Result<(), Failure> {
    let endpoint = transport::client(&settings)?;
    let connection = connect(&endpoint, &settings).await?;
    let began = Instant::now();
    let got = fetch(&connection, settings.bytes).await?;
    let seconds = began.elapsed().as_secs_f64();
    end(&endpoint, &connection).await;
    figures::print(&format!("\"bytes\":{got},\"seconds\":{seconds:.6},"));
    Ok(())
}

pub async fn handshake(settings: Settings) -> Result<(), Failure> {
    let endpoint = transport::client(&settings)?;
    connect(&endpoint, &settings)
        .await?
        .close(VarInt::from_u32(0), b"");
    let began = Instant::now();
    let mut lanes = JoinSet::new();
    for _ in 0..settings.parallel {
        let (endpoint, settings) = (endpoint.clone(), settings.clone());
        lanes.spawn(async move {
            let mut done = 0u64;
            while began.elapsed() < settings.time {
                let connection = connect(&endpoint, &settings).await?;
                connection.close(VarInt::from_u32(0), b"");
                done += 1;
            }
            Ok::<u64, Failure>(done)
        });
    }
    let mut done = 0;
    while let Some(lane) = lanes.join_next().await {
        done += lane??;
    }
    let seconds = began.elapsed().as_secs_f64();
    let _ = tokio::time::timeout(Duration::from_millis(20), endpoint.wait_idle()).await;
    figures::print(&format!("\"count\":{done},\"seconds\":{seconds:.6},"));
    Ok(())
}

pub async fn pingpong(settings: Settings) -> Result<(), Failure> {
    let endpoint = transport::client(&settings)?;
    let connection = connect(&endpoint, &settings).await?;
    let (mut send, mut recv) = connection.open_bi().await?;
    send.write_all(&request(b'E', 0)).await?;
    let ping = [0x5a; 64];
    let mut pong = [0; 64];
    let mut took = Vec::with_capacity(settings.count);
    for round in 0..settings.count + settings.count / 10 {
        let began = Instant::now();
        send.write_all(&ping).await?;
        recv.read_exact(&mut pong).await?;
        if round >= settings.count / 10 {
            took.push(began.elapsed().as_nanos() as u64);
        }
    }
    took.sort_unstable();
    end(&endpoint, &connection).await;
    let at = |part: usize| took[(took.len() * part / 100).min(took.len() - 1)] as f64 * 1e-3;
    figures::print(&format!(
        "\"count\":{},\"p50_us\":{:.2},\"p99_us\":{:.2},",
        took.len(),
        at(50),
        at(99)
    ));
    Ok(())
}

/// Steps of its input, one a line: `open`, `transfer` and `close`, each for all connections.
pub async fn hold(settings: Settings) -> Result<(), Failure> {
    let endpoint = transport::client(&settings)?;
    let mut held = Vec::new();
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(step) = lines.next_line().await? {
        match step.as_str() {
            "open" => {
                for _ in 0..settings.count {
                    held.push(connect(&endpoint, &settings).await?);
                }
            }
            "transfer" => {
                for connection in &held {
                    fetch(connection, settings.bytes).await?;
                }
            }
            "close" => {
                for connection in held.drain(..) {
                    connection.close(VarInt::from_u32(0), b"");
                }
                endpoint.wait_idle().await;
            }
            _ => {}
        }
        figures::print(&format!("\"open\":{},", endpoint.open_connections()));
    }
    Ok(())
}
