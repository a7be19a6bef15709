// SPDX-License-Identifier: Apache-2.0

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::quic::Suite;
use rustls::{CipherSuite, RootCertStore};

use crate::settings::Settings;
use crate::{EXIT_UNSUPPORTED, Failure, stop};

/// The suite that protects Initial packets, whatever the handshake may choose from.
fn initial_suite() -> Suite {
    ring::default_provider()
        .cipher_suites
        .iter()
        .find(|suite| suite.suite() == CipherSuite::TLS13_AES_128_GCM_SHA256)
        .and_then(|suite| suite.tls13()?.quic_suite())
        .expect("ring has AES-128-GCM")
}

fn provider(settings: &Settings) -> Arc<CryptoProvider> {
    let mut provider = ring::default_provider();
    match settings.ciphers.as_str() {
        "" => {}
        "chacha20" => provider
            .cipher_suites
            .retain(|suite| suite.suite() == CipherSuite::TLS13_CHACHA20_POLY1305_SHA256),
        other => stop(EXIT_UNSUPPORTED, format!("unsupported: --ciphers {other}")),
    }
    Arc::new(provider)
}

/// rustls tells nobody what was negotiated through quinn; with one suite on offer there is no other.
pub fn cipher_name(settings: &Settings) -> Option<&'static str> {
    (settings.ciphers == "chacha20").then_some("TLS_CHACHA20_POLY1305_SHA256")
}

pub fn server_config(settings: &Settings) -> Result<QuicServerConfig, Failure> {
    let chain: Vec<_> = CertificateDer::pem_file_iter(&settings.cert)?.collect::<Result<_, _>>()?;
    let mut config = rustls::ServerConfig::builder_with_provider(provider(settings))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(&settings.key)?)?;
    config.alpn_protocols = settings.protocols();
    if let Some(path) = &settings.keylog {
        config.key_log = Arc::new(KeyLogFile::open(path)?);
    }
    Ok(QuicServerConfig::with_initial(
        Arc::new(config),
        initial_suite(),
    )?)
}

pub fn client_config(settings: &Settings) -> Result<QuicClientConfig, Failure> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(&settings.cacert)? {
        roots.add(certificate?)?;
    }
    let mut config = rustls::ClientConfig::builder_with_provider(provider(settings))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = settings.protocols();
    if let Some(path) = &settings.keylog {
        config.key_log = Arc::new(KeyLogFile::open(path)?);
    }
    Ok(QuicClientConfig::with_initial(
        Arc::new(config),
        initial_suite(),
    )?)
}

/// rustls writes its secrets to the file of SSLKEYLOGFILE; this one takes the name from a flag.
#[derive(Debug)]
struct KeyLogFile(Mutex<File>);

impl KeyLogFile {
    fn open(path: &Path) -> Result<Self, Failure> {
        Ok(KeyLogFile(Mutex::new(
            OpenOptions::new().create(true).append(true).open(path)?,
        )))
    }
}

impl rustls::KeyLog for KeyLogFile {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let line = format!("{label} {} {}\n", hex(client_random), hex(secret));
        let _ = self
            .0
            .lock()
            .expect("no writer panics")
            .write_all(line.as_bytes());
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
