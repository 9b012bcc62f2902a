// What the component exports: the policy of lru.js, as the host asks it.

import * as log from "larder:store/log@0.1.0";

import { cachePolicy } from "../sdk/js/src/index.js";
import { Lru } from "./lru.js";

export const { lifecycle, policy } = cachePolicy(Lru, { log });
