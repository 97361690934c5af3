"""FedEx: answers of its Track API, pushes of Advanced Integrated Visibility, and SOAP replies."""
