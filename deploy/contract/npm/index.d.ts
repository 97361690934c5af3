import type {
  AnyClaimsEvent,
  AnyOrdersEvent,
  AnyShipmentsEvent,
  ClaimsEvent,
  ClaimsEventName,
  Messages,
  OrdersEvent,
  OrdersEventName,
  ShipmentsEvent,
  ShipmentsEventName,
} from "./names";

export * from "./messages";
export * from "./names";

/** An event as it comes: its name may be newer than this version. */
export type AnyEvent = AnyOrdersEvent | AnyShipmentsEvent | AnyClaimsEvent;

/** Message types (`ce_type`) by topic. */
export declare const TYPES: Readonly<Record<string, readonly (keyof Messages)[]>>;
/** Headers of Kafka records by constant: `HEADERS.CE_ID` is `ce_id`. */
export declare const HEADERS: Readonly<Record<string, string>>;
/** Names of events that this version knows, by the `source` of the events. */
export declare const EVENT_NAMES: {
  readonly orders: readonly OrdersEventName[];
  readonly shipments: readonly ShipmentsEventName[];
  readonly claims: readonly ClaimsEventName[];
};

/** Whether it is an event of orders with a name that this version knows. */
export declare function isOrdersEvent(event: AnyEvent): event is OrdersEvent;
/** Whether it is an event of shipments with a name that this version knows. */
export declare function isShipmentsEvent(event: AnyEvent): event is ShipmentsEvent;
/** Whether it is an event of claims with a name that this version knows. */
export declare function isClaimsEvent(event: AnyEvent): event is ClaimsEvent;

/** The id of the JSON Schema of a message type, as `ce_dataschema` has it. */
export declare function schemaId(type: keyof Messages): string;
/**
 * The JSON Schema of a message type, or with an id, as `ce_dataschema` has it.
 * @throws RangeError: this version of the contract has no such schema.
 */
export declare function loadSchema(typeOrId: string): object;
