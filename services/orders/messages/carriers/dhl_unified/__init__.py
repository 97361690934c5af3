"""DHL Shipment Tracking Unified: shipments of all services of DHL."""
