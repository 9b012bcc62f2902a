//! Generated from `wit/`, private but for what the export macros must reach.
//!
//! One small world per exported interface, put together again by the export macros: the component that comes out
//! has the imports and exports of the worlds in `wit/worlds.wit`. It is done this way for two reasons. A generated
//! export macro has a name in the crate's root, so that `lifecycle` can be exported by one world only. And an
//! import that the linked plugin never calls is dropped when the component is made, so that the bindings of a layer
//! (`import kv; export kv`) serve a backend too, and the types of both sides are the same Rust types.

pub mod lifecycle {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "package larder:sdk; world lifecycle-part { import larder:store/log@0.1.0; export larder:store/lifecycle@0.1.0; }",
        world: "larder:sdk/lifecycle-part",
        pub_export_macro: true,
        export_macro_name: "export_lifecycle",
        additional_derives: [PartialEq, Eq],
        generate_all,
    });
}

pub mod handoff {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "package larder:sdk; world handoff-part { export larder:store/handoff@0.1.0; }",
        world: "larder:sdk/handoff-part",
        pub_export_macro: true,
        export_macro_name: "export_handoff",
        with: { "larder:store/types@0.1.0": crate::bindings::lifecycle::larder::store::types },
    });
}

pub mod kv {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "package larder:sdk; world kv-part { import larder:store/kv@0.1.0; export larder:store/kv@0.1.0; }",
        world: "larder:sdk/kv-part",
        pub_export_macro: true,
        export_macro_name: "export_kv",
        merge_structurally_equal_types: true,
        additional_derives: [PartialEq, Eq],
        generate_all,
        with: { "larder:store/types@0.1.0": crate::bindings::lifecycle::larder::store::types },
    });
}

pub mod blob {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "package larder:sdk; world blob-part { import larder:store/blob@0.1.0; export larder:store/blob@0.1.0; }",
        world: "larder:sdk/blob-part",
        pub_export_macro: true,
        export_macro_name: "export_blob",
        merge_structurally_equal_types: true,
        additional_derives: [PartialEq, Eq],
        generate_all,
        with: { "larder:store/types@0.1.0": crate::bindings::lifecycle::larder::store::types },
    });
}

pub mod policy {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "package larder:sdk; world policy-part { export larder:store/policy@0.1.0; }",
        world: "larder:sdk/policy-part",
        pub_export_macro: true,
        export_macro_name: "export_policy",
        additional_derives: [PartialEq, Eq],
        with: { "larder:store/types@0.1.0": crate::bindings::lifecycle::larder::store::types },
    });
}

pub mod merge {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "package larder:sdk; world merge-part { export larder:store/merge@0.1.0; }",
        world: "larder:sdk/merge-part",
        pub_export_macro: true,
        export_macro_name: "export_merge",
        with: { "larder:store/types@0.1.0": crate::bindings::lifecycle::larder::store::types },
    });
}
