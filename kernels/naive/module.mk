# No contraction: a product of two floats is exact in double, and every compiler must add the same doubles in the same order.
OPT_naive := -O3 -ffp-contract=off
$(eval $(call plugin,naive,plugin.c supports.c binding.c conv.c conv_element.c pool.c bn.c eltwise.c referee.c,,))
