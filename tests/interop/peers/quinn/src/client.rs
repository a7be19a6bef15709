// SPDX-License-Identifier: Apache-2.0

use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use h3_quinn::OpenStreams;
use http::{Request, StatusCode};
use quinn::{ClientConfig, Connection, Endpoint, ReadError, VarInt};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::report::{Closing, text_or_null};
use crate::settings::Settings;
use crate::transport::{KeyUpdate, transport_config};
use crate::{EXIT_FAILED, EXIT_HTTP, Failure, tls};

const H3_NO_ERROR: u32 = 0x100;
const CHUNK: usize = 64 * 1024;

type Requests = h3::client::SendRequest<OpenStreams, Bytes>;

/// The server answered that it will not give the file.
#[derive(Debug)]
struct Refused(String);

impl std::fmt::Display for Refused {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "refused: {}", self.0)
    }
}

impl std::error::Error for Refused {}

/// Fetches every path over one connection and prints the report.
pub async fn download(settings: Settings) -> Result<i32, Failure> {
    let settings = Arc::new(settings);
    let mut config = ClientConfig::new(Arc::new(tls::client_config(&settings)?));
    config.transport_config(transport_config(&settings)?);
    let unspecified = if settings.connect.is_ipv4() {
        "0.0.0.0:0"
    } else {
        "[::]:0"
    };
    let endpoint = Endpoint::client(unspecified.parse::<SocketAddr>()?)?;
    let began = Instant::now();
    let connection = endpoint
        .connect_with(config, settings.connect, &settings.authority)?
        .await?;
    let handshake = began.elapsed();

    let fetch = Fetch {
        connection: connection.clone(),
        settings: settings.clone(),
        key_update: KeyUpdate::new(&settings),
        received: Arc::new(AtomicU64::new(0)),
    };
    let requests = if settings.alpn == "h3" {
        Some(start_h3(&connection).await?)
    } else {
        None
    };
    let result = fetch.all(requests.clone()).await;
    let elapsed = began.elapsed();
    if result.is_ok() && !settings.linger.is_zero() {
        let _ = tokio::time::timeout(settings.linger, connection.closed()).await;
    }
    fetch.report(handshake, elapsed);
    connection.close(
        VarInt::from_u32(if requests.is_some() { H3_NO_ERROR } else { 0 }),
        b"",
    );
    endpoint.wait_idle().await;
    Ok(match result {
        Ok(()) => 0,
        Err(why) => {
            eprintln!("{why}");
            if why.is::<Refused>() {
                EXIT_HTTP
            } else {
                EXIT_FAILED
            }
        }
    })
}

/// The connection closes when the last handle goes, so the caller keeps one until it has reported.
async fn start_h3(connection: &Connection) -> Result<Requests, Failure> {
    let (mut driver, requests) =
        h3::client::new(h3_quinn::Connection::new(connection.clone())).await?;
    tokio::spawn(async move { driver.wait_idle().await });
    Ok(requests)
}

#[derive(Clone)]
struct Fetch {
    connection: Connection,
    settings: Arc<Settings>,
    key_update: Arc<KeyUpdate>,
    received: Arc<AtomicU64>,
}

impl Fetch {
    async fn all(&self, requests: Option<Requests>) -> Result<(), Failure> {
        let turns = Arc::new(Semaphore::new(self.settings.parallel.max(1)));
        let mut running = JoinSet::new();
        for name in &self.settings.paths {
            let turn = turns.clone().acquire_owned().await?;
            let (fetch, requests, name) = (self.clone(), requests.clone(), name.clone());
            running.spawn(async move {
                let _turn = turn;
                match requests {
                    Some(requests) => fetch.one_h3(requests, &name).await,
                    None => fetch.one_hq(&name).await,
                }
            });
        }
        let mut result = Ok(());
        while let Some(finished) = running.join_next().await {
            result = result.and(finished?);
        }
        result
    }

    async fn one_h3(&self, mut requests: Requests, name: &str) -> Result<(), Failure> {
        let request = Request::get(format!("https://{}{name}", self.settings.authority)).body(())?;
        let mut stream = requests.send_request(request).await?;
        // RFC 9114, section 4.1: a server that has answered may stop the rest of a request; the answer counts all the same.
        let _ = stream.finish().await;
        let response = stream.recv_response().await?;
        if response.status() != StatusCode::OK {
            return Err(Refused(format!("{name}: {}", response.status())).into());
        }
        let mut file = PartialFile::create(&self.settings, name)?;
        while let Some(mut data) = stream.recv_data().await? {
            let chunk = data.copy_to_bytes(data.remaining());
            self.take(&mut file, &chunk)?;
        }
        file.complete()
    }

    async fn one_hq(&self, name: &str) -> Result<(), Failure> {
        let (mut send, mut recv) = self.connection.open_bi().await?;
        send.write_all(format!("GET {name}\r\n").as_bytes()).await?;
        let _ = send.finish();
        let mut file = PartialFile::create(&self.settings, name)?;
        // hq-interop has no status; a server resets the stream of a file that it does not have.
        let refused = |why: ReadError| match why {
            ReadError::Reset(code) => Failure::from(Refused(format!("{name}: reset with {code}"))),
            other => other.into(),
        };
        while let Some(chunk) = recv.read_chunk(CHUNK, true).await.map_err(refused)? {
            self.take(&mut file, &chunk.bytes)?;
        }
        file.complete()
    }

    fn take(&self, file: &mut PartialFile, bytes: &[u8]) -> Result<(), Failure> {
        self.received.fetch_add(bytes.len() as u64, Relaxed);
        self.key_update.passed(&self.connection, bytes.len());
        Ok(file.file.write_all(bytes)?)
    }

    fn report(&self, handshake: Duration, elapsed: Duration) {
        let closing = self
            .connection
            .close_reason()
            .map(|why| Closing::of(&why).fields_from_peer());
        println!(
            r#"{{"handshake_ms":{:.3},"bytes":{},"seconds":{:.6},{},"resumed":false,"cipher":{},"key_updates":{}}}"#,
            handshake.as_secs_f64() * 1000.0,
            self.received.load(Relaxed),
            elapsed.as_secs_f64(),
            closing.unwrap_or(r#""close_code":null,"close_space":"""#.into()),
            text_or_null(tls::cipher_name(&self.settings)),
            self.key_update.count()
        );
    }
}

/// A file gets its name only when all of it has arrived.
struct PartialFile {
    file: File,
    part: PathBuf,
    whole: PathBuf,
}

impl PartialFile {
    fn create(settings: &Settings, name: &str) -> Result<Self, Failure> {
        let last = name.rsplit('/').next().unwrap_or_default();
        let part = settings.output_dir.join(format!("{last}.part"));
        let whole = settings.output_dir.join(last);
        Ok(PartialFile {
            file: File::create(&part)?,
            part,
            whole,
        })
    }

    fn complete(self) -> Result<(), Failure> {
        Ok(std::fs::rename(self.part, self.whole)?)
    }
}
