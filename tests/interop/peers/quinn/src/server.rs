// SPDX-License-Identifier: Apache-2.0

use std::fs::File;
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use h3::server::RequestResolver;
use http::{Response, StatusCode};
use quinn::crypto::rustls::HandshakeData;
use quinn::{Connection, Endpoint, Incoming, RecvStream, SendStream, ServerConfig, VarInt};
use tokio::signal::unix::{SignalKind, signal};

use crate::report::{Closing, text_or_null};
use crate::settings::Settings;
use crate::transport::{KeyUpdate, transport_config};
use crate::{Failure, tls};

const H3_NO_ERROR: u32 = 0x100;
const REQUEST_LINE_LIMIT: usize = 4096;
const CHUNK: usize = 64 * 1024;

pub async fn serve(settings: Settings) -> Result<i32, Failure> {
    let mut config = ServerConfig::with_crypto(Arc::new(tls::server_config(&settings)?));
    config.transport_config(transport_config(&settings)?);
    let endpoint = Endpoint::server(config, settings.listen)?;
    println!("listening on {}", endpoint.local_addr()?);
    let settings = Arc::new(settings);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    loop {
        tokio::select! {
            incoming = endpoint.accept() => match incoming {
                Some(incoming) => admit(incoming, &settings),
                None => break,
            },
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    endpoint.close(VarInt::from_u32(H3_NO_ERROR), b"");
    endpoint.wait_idle().await;
    Ok(0)
}

fn admit(incoming: Incoming, settings: &Arc<Settings>) {
    if settings.retry && !incoming.remote_address_validated() {
        let _ = incoming.retry();
        return;
    }
    let settings = settings.clone();
    tokio::spawn(async move {
        match incoming.await {
            Ok(connection) => Visit::new(connection, settings).serve().await,
            Err(why) => eprintln!("no handshake: {why}"),
        }
    });
}

/// One connection and what serves it.
#[derive(Clone)]
struct Visit {
    connection: Connection,
    settings: Arc<Settings>,
    key_update: Arc<KeyUpdate>,
}

impl Visit {
    fn new(connection: Connection, settings: Arc<Settings>) -> Self {
        let key_update = KeyUpdate::new(&settings);
        Visit {
            connection,
            settings,
            key_update,
        }
    }

    async fn serve(self) {
        let alpn = self
            .connection
            .handshake_data()
            .and_then(|data| data.downcast::<HandshakeData>().ok()?.protocol)
            .and_then(|name| String::from_utf8(name).ok())
            .unwrap_or_default();
        match alpn.as_str() {
            "h3" => self.serve_h3().await,
            _ => self.serve_hq().await,
        }
    }

    async fn report(&self, alpn: &str) {
        let closing = Closing::of(&self.connection.closed().await);
        println!(
            r#"{{"event":"closed","alpn":"{alpn}","cipher":{},"key_updates":{},{}}}"#,
            text_or_null(tls::cipher_name(&self.settings)),
            self.key_update.count(),
            closing.fields()
        );
    }

    fn closes_now(&self) -> bool {
        if let Some(code) = self
            .settings
            .close_code
            .and_then(|code| VarInt::from_u64(code).ok())
        {
            self.connection.close(code, b"as asked");
        }
        self.settings.close_code.is_some()
    }

    async fn serve_h3(self) {
        let transport = h3_quinn::Connection::new(self.connection.clone());
        let Ok(mut requests) = h3::server::Connection::new(transport).await else {
            return self.report("h3").await;
        };
        while let Ok(Some(resolver)) = requests.accept().await {
            let visit = self.clone();
            tokio::spawn(async move {
                if let Err(why) = visit.answer_h3(resolver).await {
                    eprintln!("request: {why}");
                }
            });
        }
        self.report("h3").await; // before `requests` goes: it closes the connection, and that is what would be told
    }

    async fn answer_h3(
        self,
        resolver: RequestResolver<h3_quinn::Connection, Bytes>,
    ) -> Result<(), Failure> {
        let (request, mut stream) = resolver.resolve_request().await?;
        if self.closes_now() {
            return Ok(());
        }
        let Ok(mut file) = self.open(request.uri().path()) else {
            let missing = Response::builder().status(StatusCode::NOT_FOUND).body(())?;
            stream.send_response(missing).await?;
            return Ok(stream.finish().await?);
        };
        let size = file.metadata()?.len();
        stream
            .send_response(
                Response::builder()
                    .header("content-length", size)
                    .body(())?,
            )
            .await?;
        while let Some(chunk) = next_chunk(&mut file)? {
            self.key_update.passed(&self.connection, chunk.len());
            stream.send_data(chunk).await?;
        }
        Ok(stream.finish().await?)
    }

    async fn serve_hq(self) {
        while let Ok((send, recv)) = self.connection.accept_bi().await {
            let visit = self.clone();
            tokio::spawn(async move {
                if let Err(why) = visit.answer_hq(send, recv).await {
                    eprintln!("request: {why}");
                }
            });
        }
        self.report("hq-interop").await;
    }

    async fn answer_hq(self, mut send: SendStream, mut recv: RecvStream) -> Result<(), Failure> {
        let line = recv.read_to_end(REQUEST_LINE_LIMIT).await?;
        let line = String::from_utf8(line)?;
        if self.closes_now() {
            return Ok(());
        }
        let file = line
            .trim()
            .strip_prefix("GET ")
            .and_then(|name| self.open(name).ok());
        let Some(mut file) = file else {
            return Ok(send.reset(VarInt::from_u32(4))?);
        };
        while let Some(chunk) = next_chunk(&mut file)? {
            self.key_update.passed(&self.connection, chunk.len());
            send.write_chunk(chunk).await?;
        }
        Ok(send.finish()?)
    }

    fn open(&self, name: &str) -> Result<File, Failure> {
        let inside: PathBuf = Path::new(name)
            .components()
            .filter(|part| matches!(part, Component::Normal(_)))
            .collect();
        Ok(File::open(self.settings.dir.join(inside))?)
    }
}

fn next_chunk(file: &mut File) -> Result<Option<Bytes>, Failure> {
    let mut buffer = vec![0; CHUNK];
    let size = file.read(&mut buffer)?;
    buffer.truncate(size);
    Ok((size > 0).then(|| buffer.into()))
}
