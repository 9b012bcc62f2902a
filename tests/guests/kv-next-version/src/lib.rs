//! A component of a later version of the contract. The host refuses it and names both versions.

mod later {
    wit_bindgen::generate!({
        inline: "
            package larder:store@0.2.0;

            interface lifecycle {
                configure: func(settings: list<tuple<string, string>>) -> result<_, string>;
            }

            interface kv {
                get: func(key: string) -> result<option<list<u8>>, string>;
            }

            world kv-backend {
                export lifecycle;
                export kv;
            }
        ",
    });
}

use later::exports::larder::store::{kv, lifecycle};

struct Later;

impl lifecycle::Guest for Later {
    fn configure(_settings: Vec<(String, String)>) -> Result<(), String> {
        Ok(())
    }
}

impl kv::Guest for Later {
    fn get(_key: String) -> Result<Option<Vec<u8>>, String> {
        Ok(None)
    }
}

#[cfg(target_arch = "wasm32")]
#[expect(unsafe_code, reason = "what the generated macro expands to")]
mod exported {
    use super::{Later, later};

    later::export!(Later with_types_in later);
}
