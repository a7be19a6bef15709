// SPDX-License-Identifier: Apache-2.0
use std::io::{Error, ErrorKind, Result};

use futures::{AsyncReadExt, AsyncWriteExt};
use sha2::{Digest, Sha256};
use yamux::Stream;

use crate::session::Orders;

const BLOCK: usize = 65521;
pub const RESET_AFTER: u64 = 1000;
pub const GREETING: &[u8] = b"220 interop\r\n";

pub fn block() -> Vec<u8> {
    (0..BLOCK).map(|i| (31 * i + i / 251) as u8).collect()
}

fn pieces(size: u64) -> impl Iterator<Item = usize> {
    let whole = size / BLOCK as u64;
    let rest = (size % BLOCK as u64) as usize;
    (0..whole).map(|_| BLOCK).chain((rest != 0).then_some(rest))
}

pub fn pattern_sum(size: u64) -> Vec<u8> {
    let (block, mut digest) = (block(), Sha256::new());
    pieces(size).for_each(|piece| digest.update(&block[..piece]));
    digest.finalize().to_vec()
}

pub async fn write_pattern(to: &mut Stream, size: u64) -> Result<()> {
    let block = block();
    for piece in pieces(size) {
        to.write_all(&block[..piece]).await?;
    }
    to.flush().await
}

/// Bytes and their sum until the end or the limit.
pub async fn sum_of(from: &mut Stream, limit: u64) -> Result<(u64, Vec<u8>)> {
    let (mut memory, mut digest, mut bytes) = (vec![0; 65536], Sha256::new(), 0);
    while bytes < limit {
        let room = memory.len().min((limit - bytes).min(1 << 30) as usize);
        let size = from.read(&mut memory[..room]).await?;
        if size == 0 {
            break;
        }
        digest.update(&memory[..size]);
        bytes += size as u64;
    }
    Ok((bytes, digest.finalize().to_vec()))
}

async fn echo(stream: &mut Stream, limit: u64) -> Result<()> {
    let (mut memory, mut bytes) = (vec![0; 65536], 0);
    while bytes < limit {
        let room = memory.len().min((limit - bytes).min(1 << 30) as usize);
        let size = stream.read(&mut memory[..room]).await?;
        if size == 0 {
            break;
        }
        stream.write_all(&memory[..size]).await?;
        stream.flush().await?;
        bytes += size as u64;
    }
    stream.close().await
}

pub async fn serve(mut stream: Stream, orders: Orders, greet: bool) -> Result<()> {
    if greet {
        stream.write_all(GREETING).await?;
        stream.flush().await?;
    }
    let mut order = [0];
    stream.read_exact(&mut order).await?;
    let mut size = [0xff; 8];
    if matches!(order[0], b'N' | b'U' | b'D') {
        stream.read_exact(&mut size).await?;
    }
    let size = u64::from_be_bytes(size);
    match order[0] {
        b'E' | b'N' => echo(&mut stream, size).await,
        b'U' | b'H' => {
            let (bytes, sum) = sum_of(&mut stream, size).await?;
            stream.write_all(&bytes.to_be_bytes()).await?;
            stream.write_all(&sum).await?;
            stream.close().await
        }
        b'D' => {
            write_pattern(&mut stream, size).await?;
            stream.close().await
        }
        // A stream that is dropped open is reset.
        b'R' => write_pattern(&mut stream, RESET_AFTER).await,
        b'G' => {
            orders.close();
            Ok(())
        }
        _ => Err(Error::new(ErrorKind::InvalidData, "an unknown order")),
    }
}
