"""What commands share."""

SIMULATED = "SIMULATED DATA: everything below comes from polypipe's own stand-in, not from Polymarket"
