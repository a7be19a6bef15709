// SPDX-License-Identifier: Apache-2.0

use bytes::Bytes;
use quinn::{Connection, Incoming, RecvStream, SendStream};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::settings::Settings;
use crate::{Failure, figures, transport};

const BLOCK: usize = 256 * 1024;

/// Serves until its input ends; each line of it is answered with the figures so far.
pub async fn serve(settings: Settings) -> Result<(), Failure> {
    let endpoint = transport::server(&settings)?;
    println!("listening on {}", endpoint.local_addr()?);
    let block = Bytes::from(vec![0x5a; BLOCK]);
    let accepting = endpoint.clone();
    tokio::spawn(async move {
        while let Some(incoming) = accepting.accept().await {
            tokio::spawn(visit(incoming, block.clone()));
        }
    });
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while lines.next_line().await?.is_some() {
        figures::print(&format!("\"open\":{},", endpoint.open_connections()));
    }
    std::process::exit(0)
}

async fn visit(incoming: Incoming, block: Bytes) {
    let Ok(connection) = incoming.await else {
        return;
    };
    figures::opened();
    streams(&connection, &block).await;
    figures::ended(&connection);
}

async fn streams(connection: &Connection, block: &Bytes) {
    while let Ok((send, recv)) = connection.accept_bi().await {
        let block = block.clone();
        tokio::spawn(async move {
            if let Err(why) = answer(send, recv, block).await {
                eprintln!("stream: {why}");
            }
        });
    }
}

async fn answer(
    mut send: SendStream,
    mut recv: RecvStream,
    block: Bytes,
) -> Result<(), Failure> {
    let mut request = [0; 9];
    recv.read_exact(&mut request).await?;
    if request[0] == b'E' {
        return echo(send, recv).await;
    }
    let mut left = u64::from_le_bytes(request[1..].try_into()?);
    while left > 0 {
        let piece = block.slice(..left.min(BLOCK as u64) as usize);
        left -= piece.len() as u64;
        send.write_chunk(piece).await?;
    }
    Ok(send.finish()?)
}

async fn echo(mut send: SendStream, mut recv: RecvStream) -> Result<(), Failure> {
    let mut buffer = [0; 4096];
    while let Some(size) = recv.read(&mut buffer).await? {
        send.write_all(&buffer[..size]).await?;
    }
    Ok(send.finish()?)
}
