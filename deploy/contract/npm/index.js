"use strict";
const contract = require("./contract.json");

exports.TOPICS = contract.topics;
exports.TYPES = contract.types;
exports.HEADERS = contract.headers;
exports.EVENT_NAMES = contract.event_names;

const known = Object.fromEntries(
  Object.entries(contract.event_names).map(([source, names]) => [source, new Set(names)]),
);

exports.isOrdersEvent = (event) => event.source === "orders" && known.orders.has(event.event_name);
exports.isShipmentsEvent = (event) =>
  event.source === "shipments" && known.shipments.has(event.event_name);
exports.isClaimsEvent = (event) => event.source === "claims" && known.claims.has(event.event_name);

exports.schemaId = (type) => contract.schema_base + type + contract.schema_suffix;

const schemas = new Map(
  Object.values(contract.types)
    .flat()
    .map((type) => [exports.schemaId(type), `./schemas/${type}${contract.schema_suffix}`]),
);

exports.loadSchema = (id) => {
  const path = schemas.get(id) ?? schemas.get(exports.schemaId(id));
  if (path === undefined) throw new RangeError(`this version of the contract has no schema ${id}`);
  return require(path);
};
