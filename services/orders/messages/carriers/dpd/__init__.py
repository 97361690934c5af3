"""DPD: the parcel life cycle, by SOAP and by JSON."""
