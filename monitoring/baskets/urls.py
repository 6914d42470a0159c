from django.contrib import admin
from django.urls import path

from monitoring.baskets import views

urlpatterns = [
    path("", admin.site.admin_view(views.baskets), name="baskets"),
    path("export.csv", admin.site.admin_view(views.export), name="baskets_export"),
    path("basket/", admin.site.admin_view(views.basket), name="basket"),
]
