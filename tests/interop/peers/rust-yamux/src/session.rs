// SPDX-License-Identifier: Apache-2.0
//! The library's connection makes progress only while it is polled: one task polls it and does what the others ask of it.
use std::future::poll_fn;
use std::task::Poll;

use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};
use yamux::{Config, Connection, ConnectionError, Mode, Stream};

pub enum Order {
    Open(oneshot::Sender<Result<Stream, ConnectionError>>),
    Close,
}

#[derive(Clone)]
pub struct Orders(mpsc::UnboundedSender<Order>);

impl Orders {
    pub async fn open(&self) -> Result<Stream, String> {
        let (sender, receiver) = oneshot::channel();
        self.0.send(Order::Open(sender)).map_err(|_| "the session has ended".to_string())?;
        let opened = receiver.await.map_err(|_| "the session ended".to_string())?;
        opened.map_err(|why| why.to_string())
    }

    pub fn close(&self) {
        let _ = self.0.send(Order::Close);
    }
}

pub type Incoming = mpsc::UnboundedReceiver<Stream>;
pub type End = oneshot::Receiver<Result<(), ConnectionError>>;

pub fn start(socket: TcpStream, mode: Mode) -> (Orders, Incoming, End) {
    let connection = Connection::new(socket.compat(), Config::default(), mode);
    let (orders, asked) = mpsc::unbounded_channel();
    let (sender, incoming) = mpsc::unbounded_channel();
    let (ended, end) = oneshot::channel();
    tokio::spawn(async move {
        let _ = ended.send(drive(connection, asked, sender).await);
    });
    (Orders(orders), incoming, end)
}

async fn drive(
    mut connection: Connection<Compat<TcpStream>>,
    mut asked: mpsc::UnboundedReceiver<Order>,
    incoming: mpsc::UnboundedSender<Stream>,
) -> Result<(), ConnectionError> {
    let mut opening = None;
    loop {
        let closing = poll_fn(|context| {
            loop {
                if opening.is_none() {
                    match asked.poll_recv(context) {
                        Poll::Ready(Some(Order::Open(waiting))) => opening = Some(waiting),
                        Poll::Ready(Some(Order::Close)) => return Poll::Ready(Ok(true)),
                        Poll::Ready(None) | Poll::Pending => {}
                    }
                }
                if opening.is_some() {
                    if let Poll::Ready(result) = connection.poll_new_outbound(context) {
                        let _ = opening.take().unwrap().send(result);
                        continue;
                    }
                }
                return match connection.poll_next_inbound(context) {
                    Poll::Ready(Some(Ok(stream))) => {
                        let _ = incoming.send(stream);
                        continue;
                    }
                    Poll::Ready(Some(Err(why))) => Poll::Ready(Err(why)),
                    Poll::Ready(None) => Poll::Ready(Ok(false)),
                    Poll::Pending => Poll::Pending,
                };
            }
        })
        .await?;
        if !closing {
            return Ok(());
        }
        return poll_fn(|context| connection.poll_close(context)).await;
    }
}
