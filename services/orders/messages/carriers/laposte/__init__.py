"""La Poste: shipments of letters, Colissimo and Chronopost, of the tracking interface (Suivi)."""
