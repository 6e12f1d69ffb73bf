module example.com/hotswap/words

go 1.24
