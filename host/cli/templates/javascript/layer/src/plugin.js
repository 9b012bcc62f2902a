// What the component exports: the layer of guard.js, in front of the store that the host links behind it.

import * as store from "larder:store/kv@0.1.0";
import * as log from "larder:store/log@0.1.0";

import { kvLayer } from "../sdk/js/src/index.js";
import { Guard } from "./guard.js";

export const { lifecycle, kv } = kvLayer(Guard, store, { log });
