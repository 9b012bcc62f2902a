// What a blob backend declares, and the refusal of the rest.

import { invalid, unsupported } from "../errors.js";

/** The largest part, and the largest `put`, in bytes. */
export const PART_BYTES_MAX = 8 << 20;

const FEATURES = [
  "readRange", "listRecursive", "copy", "multipart", "ifAbsent", "ifMatch", "contentType", "userMetadata",
];

/** A description without restrictions on parts. Without `features` all of them are declared. */
export function blobDescription({
  features = FEATURES, instances = "many", partBytesMin = 0, partBytesMax = PART_BYTES_MAX,
} = {}) {
  const unknown = features.find((name) => !FEATURES.includes(name));
  if (unknown !== undefined) throw new TypeError(`the feature "${unknown}" is none of: ${FEATURES.join(", ")}`);
  const flags = Object.fromEntries(FEATURES.map((name) => [name, features.includes(name)]));
  return { features: flags, instances, partBytesMin, partBytesMax };
}

/** Refuses a path that is empty, absolute, or has an empty, `.` or `..` part. That of a folder ends in `/`. */
export function checkPath(path) {
  const parts = path.replace(/\/$/, "").split("/");
  if (parts.some((part) => part === "" || part === "." || part === ".." || part.includes("\0"))) {
    throw invalid(`the path ${JSON.stringify(path)} is not relative and normalised`);
  }
}

export function need(description, feature, name) {
  if (!description.features[feature]) throw unsupported(`this backend has no ${name}`);
}

export function refuseOptions(description, { contentType, user, condition }) {
  if (contentType != null) need(description, "contentType", "content types");
  if (user.length > 0) need(description, "userMetadata", "user metadata");
  if (condition?.tag === "absent") need(description, "ifAbsent", "condition `absent`");
  if (condition?.tag === "etag") need(description, "ifMatch", "condition on an etag");
}
