from django.contrib import admin
from django.urls import path

from monitoring.cost_report import views

urlpatterns = [
    path("", admin.site.admin_view(views.page), name="tca"),
    path("report.html", admin.site.admin_view(views.html_file), name="tca_html"),
    path("report.csv", admin.site.admin_view(views.csv_file), name="tca_csv"),
    path(
        "algorithms.csv",
        admin.site.admin_view(views.algorithms_csv_file),
        name="tca_algorithms_csv",
    ),
]
