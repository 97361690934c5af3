package orderflow.contract;

import java.time.OffsetDateTime;
import java.util.UUID;

/**
 * What every event of orders, shipments and claims says. Its name may be newer than this version of
 * the contract: then ignore what it says; its sequence, version and snapshot hold as those of any
 * event.
 */
public interface Event {
  /** orders, shipments or claims. */
  String source();

  /** What happened; known names are in {@code OrdersEventNames} and its siblings. */
  String eventName();

  /** When it was decided. */
  OffsetDateTime triggeredAt();

  /** The shop. */
  String shopSlug();

  /** Id of the event; a repeat carries it again. */
  UUID eventId();

  /** The order. */
  UUID orderId();

  /** Number among the order's events on this topic, from 1. */
  Long sequence();

  /** The order's version, one step for each event of orders and shipments. */
  Long orderVersion();

  /** Whether the snapshot was cut to fit a message. */
  Boolean contextTruncated();

  /** The order after what caused the event. */
  Context context();
}
