// SPDX-License-Identifier: Apache-2.0

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use quinn::congestion::CubicConfig;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{
    ClientConfig, Endpoint, EndpointConfig, ServerConfig, TokioRuntime, TransportConfig, VarInt,
};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CipherSuite, DigitallySignedStruct, SignatureScheme};
use socket2::{Domain, Protocol, Socket, Type};

use crate::Failure;
use crate::settings::Settings;

const ALPN: &[u8] = b"bench";

fn provider(settings: &Settings) -> Result<CryptoProvider, Failure> {
    let mut provider = aws_lc_rs::default_provider();
    provider
        .cipher_suites
        .retain(|suite| suite.suite() == CipherSuite::TLS13_AES_128_GCM_SHA256);
    provider.kx_groups = vec![match settings.group.as_str() {
        "X25519" => aws_lc_rs::kx_group::X25519,
        "X25519MLKEM768" => aws_lc_rs::kx_group::X25519MLKEM768,
        other => return Err(format!("--group: unknown: {other}").into()),
    }];
    Ok(provider)
}

fn transport_config(settings: &Settings) -> Result<Arc<TransportConfig>, Failure> {
    let mut config = TransportConfig::default();
    config.initial_mtu(settings.datagram);
    config.mtu_discovery_config(None);
    config.stream_receive_window(VarInt::from_u32(settings.window));
    config.receive_window(VarInt::from_u32(settings.window / 2 * 3));
    config.send_window(settings.window.into());
    config.max_idle_timeout(Some(Duration::from_secs(60).try_into()?));
    config.congestion_controller_factory(Arc::new(CubicConfig::default()));
    Ok(Arc::new(config))
}

fn socket(settings: &Settings) -> Result<std::net::UdpSocket, Failure> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_recv_buffer_size(settings.socket_buffer)?;
    socket.set_send_buffer_size(settings.socket_buffer)?;
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
    Ok(socket.into())
}

pub fn server(settings: &Settings) -> Result<Endpoint, Failure> {
    let chain: Vec<_> = CertificateDer::pem_file_iter(&settings.cert)?.collect::<Result<_, _>>()?;
    let mut tls = rustls::ServerConfig::builder_with_provider(Arc::new(provider(settings)?))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(&settings.key)?)?;
    tls.alpn_protocols = vec![ALPN.to_vec()];
    tls.send_tls13_tickets = 0;
    let mut config = ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls)?));
    config.transport_config(transport_config(settings)?);
    Ok(Endpoint::new(
        EndpointConfig::default(),
        Some(config),
        socket(settings)?,
        Arc::new(TokioRuntime),
    )?)
}

pub fn client(settings: &Settings) -> Result<Endpoint, Failure> {
    let provider = Arc::new(provider(settings)?);
    let mut tls = rustls::ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyName(provider)))
        .with_no_client_auth();
    tls.alpn_protocols = vec![ALPN.to_vec()];
    tls.resumption = Resumption::disabled();
    let mut config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls)?));
    config.transport_config(transport_config(settings)?);
    let mut endpoint = Endpoint::new(
        EndpointConfig::default(),
        None,
        socket(settings)?,
        Arc::new(TokioRuntime),
    )?;
    endpoint.set_default_client_config(config);
    Ok(endpoint)
}

/// Believes every certificate, as the other programs do here; the signature of the handshake is checked by all of them.
#[derive(Debug)]
struct AnyName(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("QUIC has no TLS 1.2".into()))
    }
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0
            .signature_verification_algorithms
            .supported_schemes()
    }
}
