"""SRGAN, ESRGAN, BSRGAN: generators trained by their pixels, and discriminators as an option."""
