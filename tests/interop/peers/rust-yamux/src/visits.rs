// SPDX-License-Identifier: Apache-2.0
use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt};
use yamux::Stream;

use crate::exchange::{RESET_AFTER, block, pattern_sum, sum_of, write_pattern};
use crate::session::{End, Orders};

const SMALL: u64 = 1000;
const MEDIUM: u64 = 100_000;
const BULK: u64 = 100_000_000;
const AT_ONCE: usize = 100;

pub enum Outcome {
    Passed,
    Wrong(String),
    Unsupported(&'static str),
}

type Checked = Result<(), String>;

fn text(why: std::io::Error) -> String {
    why.to_string()
}

async fn open(orders: &Orders, order: &[u8]) -> Result<Stream, String> {
    let mut stream = orders.open().await?;
    stream.write_all(order).await.map_err(text)?;
    stream.flush().await.map_err(text)?;
    Ok(stream)
}

fn counted(order: u8, size: u64) -> Vec<u8> {
    [&[order][..], &size.to_be_bytes()].concat()
}

async fn expect_pattern(from: &mut Stream, size: u64) -> Checked {
    let (bytes, sum) = sum_of(from, u64::MAX).await.map_err(text)?;
    if bytes != size || sum != pattern_sum(size) {
        return Err(format!("{bytes} bytes of {size}, or others"));
    }
    Ok(())
}

async fn expect_echo(stream: &mut Stream) -> Checked {
    write_pattern(stream, SMALL).await.map_err(text)?;
    let mut back = vec![0; SMALL as usize];
    stream.read_exact(&mut back).await.map_err(text)?;
    if back != block()[..SMALL as usize] {
        return Err("the echo differs".into());
    }
    Ok(())
}

async fn echo_once(orders: Orders, size: u64) -> Checked {
    let mut stream = open(&orders, b"E").await?;
    write_pattern(&mut stream, size).await.map_err(text)?;
    stream.close().await.map_err(text)?;
    expect_pattern(&mut stream, size).await
}

async fn many(orders: Orders) -> Checked {
    let running: Vec<_> = (0..AT_ONCE).map(|_| tokio::spawn(echo_once(orders.clone(), MEDIUM))).collect();
    for each in running {
        each.await.map_err(|why| why.to_string())??;
    }
    Ok(())
}

async fn uploaded(orders: Orders, order: Vec<u8>, size: u64) -> Checked {
    let mut stream = open(&orders, &order).await?;
    write_pattern(&mut stream, size).await.map_err(text)?;
    stream.close().await.map_err(text)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.map_err(text)?;
    if answer != [&size.to_be_bytes()[..], &pattern_sum(size)].concat() {
        return Err("the server counts or sums otherwise".into());
    }
    Ok(())
}

async fn download(orders: Orders) -> Checked {
    let mut stream = open(&orders, &counted(b'D', BULK)).await?;
    stream.close().await.map_err(text)?;
    expect_pattern(&mut stream, BULK).await
}

/// The library tells a reset as the end: what shows it is that the stream can no longer be written to either.
async fn server_resets(orders: Orders) -> Checked {
    let mut stream = open(&orders, b"R").await?;
    let (bytes, _) = sum_of(&mut stream, u64::MAX).await.unwrap_or_default();
    if bytes > RESET_AFTER {
        return Err(format!("{bytes} bytes before the reset"));
    }
    if stream.write_all(b"more").await.is_ok() {
        return Err("the stream was not reset".into());
    }
    echo_once(orders, SMALL).await
}

async fn client_resets(orders: Orders) -> Checked {
    let mut stream = open(&orders, b"E").await?;
    expect_echo(&mut stream).await?;
    drop(stream);
    echo_once(orders, SMALL).await
}

async fn idle(orders: Orders) -> Checked {
    let mut stream = open(&orders, b"E").await?;
    expect_echo(&mut stream).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    expect_echo(&mut stream).await?;
    stream.close().await.map_err(text)?;
    expect_pattern(&mut stream, 0).await?;
    echo_once(orders, SMALL).await
}

async fn server_closes(orders: Orders, end: &mut End) -> Checked {
    echo_once(orders.clone(), SMALL).await?;
    let _stream = open(&orders, b"G").await?;
    match tokio::time::timeout(Duration::from_secs(5), end).await {
        Err(_) => return Err("the session did not end".into()),
        Ok(Ok(Err(why))) => return Err(format!("the end was taken for an error: {why}")),
        Ok(_) => {}
    }
    if orders.open().await.is_ok() {
        return Err("a stream was opened on a closed session".into());
    }
    Ok(())
}

pub async fn visit(orders: Orders, end: &mut End, scenario: &str) -> Outcome {
    let result = match scenario {
        "echo" | "client-closes" => echo_once(orders, SMALL).await,
        "many" => many(orders).await,
        "upload" => uploaded(orders, counted(b'U', BULK), BULK).await,
        "download" => download(orders).await,
        "half-close" => uploaded(orders, b"H".to_vec(), 3 * MEDIUM).await,
        "server-resets" => server_resets(orders).await,
        "client-resets" => client_resets(orders).await,
        "server-first" => {
            return Outcome::Unsupported("rust-yamux opens a stream with its first byte: the server cannot speak before");
        }
        "idle" => idle(orders).await,
        "server-closes" => server_closes(orders, end).await,
        _ => Err("no such scenario".into()),
    };
    result.map_or_else(Outcome::Wrong, |()| Outcome::Passed)
}
