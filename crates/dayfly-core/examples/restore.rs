//! Prints what a request costs in process: `restore GUEST.wasm|GUEST.wat...`.

use dayfly_core::bench::{RestoreBenchOptions, restore_bench};
use dayfly_core::engine::Protection;

fn main() {
    let directory = std::env::temp_dir().join("dayfly-restore-example");
    for path in std::env::args().skip(1) {
        let wasm = wat::parse_file(&path).expect("a module");
        for protection in [Protection::Userfault, Protection::Mprotect] {
            let options = RestoreBenchOptions { rounds: 9, seconds: 1.0, protection };
            println!("{:?}", restore_bench(&path, &wasm, &directory, &options));
        }
    }
}
