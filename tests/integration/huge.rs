//! A box beyond 4 GiB.

use boxvault_tests::{
    Publication, TestServer,
    bytes::seeded,
    faults::{RawConnection, peak_memory_bytes, upload_head},
};
use sha2::{Digest as _, Sha256};

/// A plain tar with a disk of 4.5 GiB, made piece by piece, never a file of its own.
struct HugeBox {
    head: Vec<u8>,
    block: Vec<u8>,
    blocks: u64,
}

impl HugeBox {
    const BLOCK: usize = 1 << 20;

    fn new(disk_bytes: u64) -> Self {
        let mut archive = tar::Builder::new(Vec::new());
        let metadata = b"{\"provider\":\"virtualbox\"}";
        let mut header = tar::Header::new_gnu();
        header.set_size(metadata.len() as u64);
        archive.append_data(&mut header, "metadata.json", &metadata[..]).unwrap();
        let mut head = archive.get_ref().clone();
        let mut header = tar::Header::new_gnu();
        header.set_path("disk.img").unwrap();
        header.set_size(disk_bytes);
        header.set_cksum();
        head.extend_from_slice(header.as_bytes());
        Self { head, block: seeded(5, Self::BLOCK), blocks: disk_bytes / Self::BLOCK as u64 }
    }

    fn size(&self) -> u64 {
        // two blocks of zeros end a tar
        self.head.len() as u64 + self.blocks * Self::BLOCK as u64 + 1024
    }

    /// The disk's piece of that number: no two are the same, so that one in the wrong place shows.
    fn block(&mut self, number: u64) -> &[u8] {
        self.block[..8].copy_from_slice(&number.to_le_bytes());
        &self.block
    }
}

#[tokio::test]
async fn a_box_larger_than_4_gib_goes_up_and_comes_down_right_in_constant_memory() {
    const MEMORY_MAX: u64 = 200 << 20;
    let mut file = HugeBox::new((4 << 30) + (512 << 20));
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let at = Publication::new("acme", "huge", &[]);
    admin.prepare(&at).await;

    let mut connection = RawConnection::open(server.http()).await;
    let length = format!("Content-Length: {}", file.size());
    connection.send(&upload_head(&at, &admin, &[&length])).await;
    let mut hasher = Sha256::new();
    hasher.update(&file.head);
    connection.send(&file.head.clone()).await;
    for number in 0..file.blocks {
        let block = file.block(number);
        hasher.update(block);
        connection.send(block).await;
    }
    hasher.update([0; 1024]);
    connection.send(&[0; 1024]).await;
    let reply = connection.reply().await.expect("an answer");
    assert_eq!(reply.status, 200, "{}", reply.text());
    let digest = data_encoding::HEXLOWER.encode(&hasher.finalize());
    assert_eq!(reply.data()["checksum"], digest);
    assert_eq!(reply.data()["fileSize"], file.size());
    let peak = peak_memory_bytes(server.pid());
    assert!(peak < MEMORY_MAX, "{} MiB after the upload", peak >> 20);

    let get = format!("GET {}/download HTTP/1.1\r\nHost: boxvault\r\n", at.file_path());
    let get = format!("{get}x-access-token: {}\r\n", admin.token().unwrap());
    let mut connection = RawConnection::open(server.http()).await;
    connection.send(format!("{get}\r\n").as_bytes()).await;
    let head = connection.head().await.expect("an answer");
    assert_eq!(head.header("content-length"), Some(&*file.size().to_string()));
    let mut buffer = vec![0; file.head.len()];
    connection.read_into(&mut buffer).await;
    assert!(buffer == file.head);
    let mut buffer = vec![0; HugeBox::BLOCK];
    for number in 0..file.blocks {
        connection.read_into(&mut buffer).await;
        assert!(buffer == file.block(number), "piece {number} is another one");
    }
    let mut end = [1; 1024];
    connection.read_into(&mut end).await;
    assert_eq!(end, [0; 1024]);

    // a part that begins beyond 4 GiB, and the end
    let from = file.head.len() as u64 + 4200 * HugeBox::BLOCK as u64;
    let range = format!("{get}Range: bytes={from}-{}\r\n\r\n", from + HugeBox::BLOCK as u64 - 1);
    connection.send(range.as_bytes()).await;
    let head = connection.head().await.expect("an answer");
    assert_eq!(head.status, 206);
    connection.read_into(&mut buffer).await;
    assert!(buffer == file.block(4200));
    connection.send(format!("{get}Range: bytes=-2048\r\n\r\n").as_bytes()).await;
    assert_eq!(connection.head().await.map(|head| head.status), Some(206));
    let tail = connection.body(2048).await;
    let last = file.blocks - 1;
    assert!(tail[..1024] == file.block(last)[HugeBox::BLOCK - 1024..] && tail[1024..] == [0; 1024]);
    let peak = peak_memory_bytes(server.pid());
    assert!(peak < MEMORY_MAX, "{} MiB after the download", peak >> 20);
}
