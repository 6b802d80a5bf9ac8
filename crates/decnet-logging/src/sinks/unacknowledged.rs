//! How many bytes of a TCP connection the other side's kernel has not acknowledged.
//!
//! The kernel says it by the ioctl `SIOCOUTQ`, which no safe crate wraps, and by `tx_queue` in
//! `/proc/net/tcp` (`tcp_diag` and `proc_net_tcp` of its documentation): the same number. The file lists
//! every connection of the network namespace, so it is read a few times a second at most, and only while
//! something is under way.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;

/// Bytes written and not acknowledged.
///
/// # Errors
/// The kernel does not list the connection: it has ended. Or /proc is not there.
pub(super) fn unacknowledged(socket: &TcpStream) -> io::Result<u64> {
    // The files of the thread: its network namespace may be another one than the process's.
    let list = if socket.local_addr()?.is_ipv4() { "tcp" } else { "tcp6" };
    let inode = fs::metadata(format!("/proc/thread-self/fd/{}", socket.as_raw_fd()))?.ino();
    find(BufReader::new(File::open(format!("/proc/thread-self/net/{list}"))?), inode)
}

/// The field of the connection with that inode.
fn find(list: impl BufRead, inode: u64) -> io::Result<u64> {
    let inode = inode.to_string();
    for line in list.lines() {
        let line = line?;
        // sl local remote state tx_queue:rx_queue timer retransmits uid timeout inode …
        let mut words = line.split_ascii_whitespace();
        let queues = words.nth(4).unwrap_or_default();
        if words.nth(4) != Some(inode.as_str()) {
            continue;
        }
        let unsent = queues.split(':').next().and_then(|hex| u64::from_str_radix(hex, 16).ok());
        return unsent.ok_or_else(|| io::Error::other("/proc/net/tcp cannot be read: another kernel's form"));
    }
    Err(io::ErrorKind::NotConnected.into())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn the_line_of_the_socket_is_read() {
        let list = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
                    0: 0100007F:0050 00000000:0000 0A 00000000:00000005 00:00000000 00000000     0        0 17 1 0\n   \
                    1: 0100007F:0050 0100007F:C350 01 0000012C:00000000 01:00000014 00000000     0        0 18 2 0\n";
        assert_eq!(find(list.as_bytes(), 18).unwrap(), 300);
        assert_eq!(find(list.as_bytes(), 17).unwrap(), 0);
        assert!(find(list.as_bytes(), 1).is_err());
    }

    #[test]
    fn the_kernel_tells_what_is_under_way() {
        for listener in [
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap(),
            TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).unwrap(),
        ] {
            let mut socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (mut peer, _) = listener.accept().unwrap();
            assert_eq!(unacknowledged(&socket).unwrap(), 0);
            socket.set_nonblocking(true).unwrap();
            // Until neither side's kernel takes more: the rest is not acknowledged.
            let mut sent = 0;
            let patience = Instant::now() + Duration::from_secs(10);
            let mut quiet = 0;
            while quiet < 20 && Instant::now() < patience {
                match socket.write(&[0; 65536]) {
                    Ok(count) => (sent, quiet) = (sent + count as u64, 0),
                    Err(_) => {
                        quiet += 1;
                        std::thread::sleep(Duration::from_millis(5));
                    }
                }
            }
            let waiting = unacknowledged(&socket).unwrap();
            assert!(waiting > 0 && waiting < sent, "{waiting} of {sent}");
            let reader = std::thread::spawn(move || {
                let mut all = 0;
                while all < sent {
                    all += peer.read(&mut [0; 65536]).unwrap() as u64;
                }
                peer
            });
            let _peer = reader.join().unwrap();
            let patience = Instant::now() + Duration::from_secs(10);
            while unacknowledged(&socket).unwrap() > 0 {
                assert!(Instant::now() < patience);
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
}
