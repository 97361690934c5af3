"""What aiokafka lacks or gets wrong, one file each."""
