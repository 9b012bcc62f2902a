// What the component exports: the layer of freezer.js, in front of the store that the host links behind it.

import * as store from "larder:store/blob@0.1.0";
import * as log from "larder:store/log@0.1.0";

import { blobLayer } from "../sdk/js/src/index.js";
import { Freezer } from "./freezer.js";

export const { lifecycle, blob } = blobLayer(Freezer, store, { log });
