//! A pass-through for TCP between a replica and the API server that can hold back what the
//! replica sends.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

/// A pass-through. Its threads end with the process.
pub struct Proxy {
    /// Where it listens, as `https://127.0.0.1:…`.
    pub server: String,
    valve: Arc<Valve>,
}

#[derive(Default)]
struct Valve {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    is_holding: bool,
    held: usize,
}

impl Proxy {
    /// Begins to listen in front of a server.
    pub fn before(server: &str) -> Self {
        let target = server.trim_start_matches("https://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Self { server: format!("https://{}", listener.local_addr().unwrap()), valve: Arc::default() };
        let valve = proxy.valve.clone();
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                if let Ok(far) = TcpStream::connect(&target) {
                    pass(&near, &far, &valve);
                }
            }
        });
        proxy
    }

    /// From now on what the replica sends stays here.
    pub fn hold(&self) {
        self.valve.state.lock().unwrap().is_holding = true;
    }

    /// What was held back goes on its way.
    pub fn release(&self) {
        self.valve.state.lock().unwrap().is_holding = false;
        self.valve.changed.notify_all();
    }

    /// How many bytes were held back.
    pub fn held(&self) -> usize {
        self.valve.state.lock().unwrap().held
    }
}

impl Valve {
    /// Waits while it is closed.
    fn pass(&self, bytes: usize) {
        let mut state = self.state.lock().unwrap();
        if state.is_holding {
            state.held += bytes;
        }
        drop(self.changed.wait_while(state, |it| it.is_holding).unwrap());
    }
}

/// Both directions of one connection. That the replica has closed its end is not passed on: what
/// it sent before is still to be answered.
fn pass(near: &TcpStream, far: &TcpStream, valve: &Arc<Valve>) {
    let (mut from_near, mut to_near) = (near.try_clone().unwrap(), near.try_clone().unwrap());
    let (mut from_far, mut to_far) = (far.try_clone().unwrap(), far.try_clone().unwrap());
    std::thread::spawn(move || {
        drop(std::io::copy(&mut from_far, &mut to_near));
        drop(to_near.shutdown(Shutdown::Both));
    });
    let valve = valve.clone();
    std::thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from_near.read(&mut buffer) {
            valve.pass(length);
            if to_far.write_all(&buffer[..length]).is_err() {
                return;
            }
        }
    });
}
