"""UPU: mail items of posts with EMSEVT events, of the International Postal System and its like."""
