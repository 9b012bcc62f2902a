// What the component exports: the layer of redact.js, in front of the store that the host links behind it.

import * as store from "larder:store/kv@0.1.0";
import * as log from "larder:store/log@0.1.0";

import { kvLayer } from "../../../sdk/js/src/index.js";
import { KvRedact } from "./redact.js";

export const { lifecycle, kv } = kvLayer(KvRedact, store, { log });
