// What the host offers to a component, by the names under which it is imported.

declare module "larder:store/kv@0.1.0" {
  type Kv = import("./contract.js").Kv;
  export const describe: Kv["describe"];
  export const get: Kv["get"];
  export const getMany: Kv["getMany"];
  export const scan: Kv["scan"];
  export const commit: Kv["commit"];
}

declare module "larder:store/blob@0.1.0" {
  type Blob = import("./contract.js").Blob;
  export const describe: Blob["describe"];
  export const stat: Blob["stat"];
  export const read: Blob["read"];
  export const list: Blob["list"];
  export const deleteMany: Blob["deleteMany"];
  export const copy: Blob["copy"];
  export const put: Blob["put"];
  export const begin: Blob["begin"];
  export const part: Blob["part"];
  export const finish: Blob["finish"];
  export const abort: Blob["abort"];
}

declare module "larder:store/log@0.1.0" {
  type Log = import("./contract.js").Log;
  export const log: Log["log"];
}
