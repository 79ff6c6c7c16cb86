//! Published data sets, for the tests that replay them. The project does not contain them: a test
//! whose data is not there says so and passes.

use std::fs::File;
use std::path::PathBuf;

use flate2::read::GzDecoder;

/// A data file: in `$WL_DATA`, in the project's `data/`, or in the `data/` of a folder beside the
/// project.
pub fn find(file: &str) -> Option<PathBuf> {
    let root = crate::cluster::root();
    let mut folders: Vec<PathBuf> = std::env::var_os("WL_DATA").map(PathBuf::from).into_iter().collect();
    folders.push(root.join("data"));
    if let Some(Ok(beside)) = root.parent().map(std::fs::read_dir) {
        folders.extend(beside.flatten().map(|entry| entry.path().join("data")));
    }
    folders.into_iter().map(|folder| folder.join(file)).find(|path| path.is_file())
}

/// The records of a gzipped CSV file with a header line.
pub fn read_csv_gz(path: &PathBuf) -> Vec<csv::StringRecord> {
    let file = File::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    csv::Reader::from_reader(GzDecoder::new(file))
        .records()
        .collect::<Result<_, _>>()
        .unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}
