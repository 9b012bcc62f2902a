// What the component exports: the backend of shelf.js, as the host calls it.

import * as log from "larder:store/log@0.1.0";

import { kvBackend } from "../sdk/js/src/index.js";
import { Shelf } from "./shelf.js";

export const { lifecycle, kv } = kvBackend(Shelf, { log });
