//! The indexes: one mapping per file, none after its last slice, and never another's addresses.

use std::io::Write as _;

use tempfile::NamedTempFile;

use super::*;

fn file_of(byte: u8, bytes: usize) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(&vec![byte; bytes]).unwrap();
    file
}

#[test]
fn a_file_that_many_take_is_open_once_and_closed_after_the_last() {
    let (files, file) = (LocalFiles::new(), file_of(1, 100));
    let first = files.open_blocking(file.path()).unwrap();
    let second = files.open_blocking(file.path()).unwrap();
    assert!(Arc::ptr_eq(&first.mapping, &second.mapping));
    assert_eq!(files.open_count(), 1);
    let slice = second.slice(&(10..20));
    drop((first, second));
    assert_eq!(files.open_count(), 1);
    assert_eq!(files.find(&slice).unwrap().offset_of(&slice), Some(10));
    drop(slice);
    assert_eq!(files.open_count(), 0);
    assert!(files.shelf.by_address.read().unwrap().is_empty());
}

#[test]
fn another_file_under_the_same_path_is_opened_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("blob");
    let (files, new) = (LocalFiles::new(), folder.path().join("new"));
    File::create(&path).unwrap().write_all(&[1; 100]).unwrap();
    let old = files.open_blocking(&path).unwrap();
    File::create(&new).unwrap().write_all(&[2; 200]).unwrap();
    std::fs::rename(&new, &path).unwrap();
    let found = files.open_blocking(&path).unwrap();
    assert_eq!((found.slice(&(0..1))[0], found.size_bytes()), (2, 200));
    assert_eq!((old.slice(&(0..1))[0], old.size_bytes()), (1, 100));
    // The old one goes without taking the new one's entry along.
    drop(old);
    assert_eq!(files.open_count(), 1);
    assert!(Arc::ptr_eq(&files.open_blocking(&path).unwrap().mapping, &found.mapping));
}

#[test]
fn what_is_no_file_is_refused_with_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let files = LocalFiles::new();
    let refused = files.open_blocking(folder.path()).unwrap_err();
    assert!(matches!(refused, TransferError::NotAFile { .. }), "{refused}");
    let refused = files.open_blocking(&folder.path().join("absent")).unwrap_err();
    assert!(refused.to_string().contains("absent"), "{refused}");
}

#[test]
fn ordinary_memory_is_no_file() {
    let (files, file) = (LocalFiles::new(), file_of(1, 100_000));
    let heap = vec![1_u8; 100_000];
    assert!(files.find(&heap).is_none());
    let open = files.open_blocking(file.path()).unwrap();
    assert!(files.find(&heap).is_none());
    // Nor is the memory right after the file.
    let end = open.slice(&(0..100_000)).as_ptr().wrapping_add(100_000).addr();
    assert!(!open.mapping.addresses().contains(&end));
}

#[test]
fn addresses_that_are_used_again_belong_to_the_new_file() {
    let (files, one, two) = (LocalFiles::new(), file_of(1, 70_000), file_of(2, 70_000));
    for _ in 0..50 {
        for file in [&one, &two] {
            let slice = files.open_blocking(file.path()).unwrap().slice(&(0..70_000));
            assert_eq!(files.find(&slice).unwrap().path(), file.path());
        }
    }
}

#[test]
fn threads_that_open_and_drop_the_same_file_do_not_disturb_each_other() {
    let (files, file) = (LocalFiles::new(), file_of(7, 50_000));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..500 {
                    let slice = files.open_blocking(file.path()).unwrap().slice(&(5..40_000));
                    assert_eq!(files.find(&slice).unwrap().offset_of(&slice), Some(5));
                    assert_eq!(slice[0], 7);
                }
            });
        }
    });
    assert_eq!(files.open_count(), 0);
    assert!(files.shelf.by_address.read().unwrap().is_empty());
}

#[test]
fn an_empty_file_has_no_addresses() {
    let (files, file) = (LocalFiles::new(), file_of(0, 0));
    let open = files.open_blocking(file.path()).unwrap();
    assert!(open.slice(&(0..0)).is_empty());
    assert!(files.shelf.by_address.read().unwrap().is_empty());
    drop(open);
    assert_eq!(files.open_count(), 0);
}

#[test]
fn what_was_just_written_is_in_memory_by_both_ways_of_asking() {
    let (files, file) = (LocalFiles::new(), file_of(1, 300_000));
    let open = files.open_blocking(file.path()).unwrap();
    for window in [0..300_000, 5000..5001, 299_999..300_000, 4095..8193] {
        assert_eq!(open.residency(&window).unwrap(), Residency::Resident);
        #[cfg(target_os = "linux")]
        assert!(open.mapping.is_resident(&window));
    }
}

#[test]
fn a_slice_that_was_read_and_dropped_leaves_others_whole() {
    let (files, file) = (LocalFiles::new(), file_of(9, 300_000));
    let open = files.open_blocking(file.path()).unwrap();
    let (one, other) = (open.slice_to_read(&(0..300_000)), open.slice(&(1000..200_000)));
    assert!(one.iter().all(|byte| *byte == 9));
    let part = one.slice(4096..9000);
    drop(one);
    assert!(other.iter().all(|byte| *byte == 9));
    drop(part);
    assert!(other.iter().all(|byte| *byte == 9));
    assert!(open.slice_to_read(&(5..5)).is_empty());
    assert!(open.slice_to_read(&(5..300_001)).is_empty());
}
