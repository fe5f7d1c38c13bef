$(eval $(call plugin,template,plugin.c conv_fwd.c))
