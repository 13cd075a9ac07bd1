"""The methods beside DeRefNet in SeqCSIST's Table 7."""
